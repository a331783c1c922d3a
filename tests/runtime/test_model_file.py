import json
import os
import signal
import struct
import time

import numpy as np
import pytest

from lmedge.errors import LmedgeError
from lmedge.runtime.bundle import Bundle
from lmedge.runtime.model_file import check_model

FUZZ_SECONDS = 20.0
CHILD_SECONDS = 10


@pytest.fixture(scope="module")
def model(bundle):
    return (bundle / "faces-int8.tflite").read_bytes()


def test_every_variant_passes_and_is_understood(every_variant):
    for path in every_variant.glob("*.tflite"):
        found = check_model(path.read_bytes(), path.name)
        assert set(found.signatures) == {"sample", "generate", "landmarks"}
        inputs, outputs = found.signatures["sample"]
        assert inputs == ("z",) and set(outputs) == {"image", "landmarks", "confidence"}
        assert found.about["latent"]["size"] == 8 and "TFLITE_METADATA" in found.metadata
        assert found.ops[3] == 2 * 7  # CONV_2D


def test_truncated_files_are_refused(model):
    for length in (0, 3, 8, 20, len(model) // 4, len(model) // 2, len(model) - 5000):
        with pytest.raises(LmedgeError, match="is not a TFLite model|is damaged or not a face model"):
            check_model(model[:length], "m")


def changed(model, edit):
    """The model with an edit of its objects."""
    from convert import flatbuffer as fb

    root = fb.read(model)
    edit(root)
    return fb.write(root)


def set_shape(root):
    root.subgraphs[0].tensors[root.subgraphs[0].outputs[0]].shape = [1 << 16, 1 << 16]


def huge_buffer(root):
    root.subgraphs[0].tensors[0].shape = [1 << 30]


def wrong_tensor(root):
    root.subgraphs[0].operators[2].inputs = [100_000]


def wrong_buffer(root):
    root.subgraphs[0].tensors[1].buffer = 100_000


def wrong_code(root):
    root.subgraphs[0].operators[0].opcodeIndex = 99


def loop(root):
    root.subgraphs[0].operators[1].inputs = list(root.subgraphs[0].outputs)


def custom(root):
    root.operatorCodes[0].customCode = b"FlexErf"


def control_flow(root):
    root.operatorCodes[0].builtinCode = 119


def no_graph(root):
    root.subgraphs = []


def outside(root):
    root.buffers[1].offset, root.buffers[1].size = 1 << 31, 1 << 31


def shift(root):
    root.subgraphs[0].tensors[root.subgraphs[0].operators[1].outputs[0]].quantization.scale = [1e30]


def stride(root):
    kinds = {type(op.builtinOptions).__name__: op.builtinOptions for op in root.subgraphs[0].operators}
    kinds["Conv2DOptionsT"].strideW = 0


def old_schema(root):
    root.version = 2


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (set_shape, r"shape \[65536, 65536\] needs \d+ MiB"),
        (huge_buffer, "needs 1024 MiB|needs 4096 MiB"),
        (wrong_tensor, "tensor 100000 does not exist"),
        (wrong_buffer, "buffer 100000 does not exist"),
        (wrong_code, "op 99 does not exist"),
        (loop, "an op reads what nothing has written"),
        (custom, "uses the op CUSTOM"),
        (control_flow, "uses the op WHILE"),
        (no_graph, "it has no graph"),
        (outside, "its weights lie outside the flatbuffer"),
        (shift, "scale that is no sensible number"),
        (stride, "a stride that is not positive"),
        (old_schema, "its schema is 2, not 3"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_hostile_models_are_refused_by_name(model, tmp_path, edit, reason):
    path = tmp_path / "hostile.tflite"
    path.write_bytes(changed(model, edit))
    with pytest.raises(LmedgeError, match=f"hostile.tflite is damaged or not a face model .*{reason}"):
        Bundle.open(path)


def test_a_list_of_two_thousand_million_items_is_refused_at_once(model):
    data = bytearray(model)
    root = struct.unpack_from("<I", data)[0]
    vtable = root - struct.unpack_from("<i", data, root)[0]
    place = root + struct.unpack_from("<H", data, vtable + 4 + 2 * 4)[0]  # the list of buffers
    at = place + struct.unpack_from("<I", data, place)[0]
    struct.pack_into("<I", data, at, 1 << 31)
    start = time.monotonic()
    with pytest.raises(LmedgeError, match="a list of 2147483648 items reaches out of the file"):
        check_model(bytes(data), "m")
    assert time.monotonic() - start < 1


@pytest.mark.parametrize("verb", [("info",), ("sample", "--out", "x"), ("bench",)])
def test_the_verbs_refuse_hostile_files_in_one_sentence(model, bundle, tmp_path, lmedge, verb):
    path = tmp_path / "m.tflite"
    path.write_bytes(changed(model, wrong_tensor))
    done = lmedge(verb[0], path, *verb[1:], cwd=tmp_path)
    assert done.returncode == 1 and "tensor 100000 does not exist" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    folder = tmp_path / "bundle"
    folder.mkdir()
    about = json.loads((bundle / "bundle.json").read_text())
    about["variants"]["int8"]["file"] = "../../secret.tflite"
    (folder / "bundle.json").write_text(json.dumps(about))
    done = lmedge(verb[0], folder, *verb[1:], cwd=tmp_path)
    assert done.returncode == 1 and "which is not a file of the bundle" in done.stderr
    assert not (tmp_path / "x").exists()


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
