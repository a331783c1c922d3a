"""Model files whose bytes were changed at random."""

import os
import signal
import struct
import time

import numpy as np
import pytest

from lmedge.errors import LmedgeError
from lmedge.runtime.model_file import check_model

FUZZ_SECONDS = 10.0
CHILD_SECONDS = 10


@pytest.fixture(scope="module")
def model(bundle):
    return (bundle / "faces-int8.tflite").read_bytes()


def runs(model):
    """Loads and runs a model in a child process; False where the interpreter brought that down or hung."""
    child = os.fork()
    if child == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        signal.alarm(CHILD_SECONDS)
        try:
            from ai_edge_litert.interpreter import Interpreter

            interpreter = Interpreter(model_content=model, num_threads=1)
            interpreter.allocate_tensors()
            given = interpreter.get_input_details()[0]
            interpreter.set_tensor(given["index"], np.zeros(given["shape"], given["dtype"]))
            interpreter.invoke()
        except (ValueError, RuntimeError):
            pass
        finally:
            os._exit(0)
    return not os.WIFSIGNALED(os.waitpid(child, 0)[1])


def mutated(data, random):
    """One to three of: a byte, an extreme number, an offset, a cut."""
    data = bytearray(data)
    for _ in range(random.integers(1, 4)):
        at, kind = int(random.integers(len(data) - 4)), random.integers(4)
        if kind == 0:
            data[at] = random.integers(256)
        elif kind == 1:
            number = int(random.choice([0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 1 << 28]))
            struct.pack_into("<I", data, at, number)
        elif kind == 2:
            struct.pack_into("<I", data, at & ~3, int(random.integers(len(data))))
        elif random.random() < 0.1:
            del data[max(at, 8) :]
            break
    return bytes(data)


def test_fuzzed_models_are_refused_or_run_and_nothing_else(model):
    """Whatever is done to the bytes: a sentence, or a model that an interpreter survives."""
    random = np.random.default_rng(0)
    refused = survived = 0
    end = time.monotonic() + FUZZ_SECONDS
    while time.monotonic() < end:
        data = mutated(model, random)
        try:
            check_model(data, "m")
        except LmedgeError:
            refused += 1
            continue
        survived += 1
        if survived % 4 == 0:  # a child process costs as much as fifty refusals
            assert runs(data), f"mutation {refused + survived} of seed 0 ended the interpreter"
    assert refused > 200 and survived > 20
