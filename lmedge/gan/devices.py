"""What to compute on, and in which numbers: picked once, with the reason."""

import functools
import os
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

import tensorflow as tf

from lmedge.bounds import cores
from lmedge.options import Precision
from lmedge.quiet import native_stderr_off

BFLOAT16_INSTRUCTIONS = ("avx512_bf16", "amx_bf16", " bf16")
THREAD_VARIABLES = {"TF_NUM_INTEROP_THREADS", "TF_NUM_INTRAOP_THREADS"}  # TensorFlow reads them
NARROWEST_BFLOAT16 = 16  # filters; below, converting costs more than the narrower products save
TRIED = (16, 32, 64)  # faces, pixels and filters of a convolution that says which numbers are faster
ROUNDS = 5
PAYS = 1.15  # times as fast; a machine that is busy with other work shall not decide


def gpus() -> list[tf.config.PhysicalDevice]:
    """The GPUs that TensorFlow sees."""
    return tf.config.list_physical_devices("GPU")


def strategy() -> tf.distribute.Strategy:
    """Several machines where TF_CONFIG names them, several GPUs where there are, otherwise TensorFlow's default (one
    GPU, or the CPU). Waits for the other machines."""
    for gpu in gpus():  # leave the rest of the card to others, such as a second run
        tf.config.experimental.set_memory_growth(gpu, True)
    if "TF_CONFIG" in os.environ:
        with native_stderr_off():  # it logs that it has found them
            return tf.distribute.MultiWorkerMirroredStrategy()
    return tf.distribute.MirroredStrategy() if len(gpus()) > 1 else tf.distribute.get_strategy()


def is_chief(place: tf.distribute.Strategy) -> bool:
    """Is this the one process of the training that writes files?"""
    resolver = place.cluster_resolver
    return resolver is None or resolver.task_type in (None, "chief") or (
        resolver.task_type == "worker" and resolver.task_id == 0 and "chief" not in resolver.cluster_spec().jobs
    )  # fmt: skip


def take_threads() -> None:
    """Two ops at a time, each on half of the cores: the real and the generated half of a step wait for each other only
    at its end. For a process that trains and does nothing else; nothing happens where TensorFlow has run an op. Sums
    over other threads than before differ in their last bits."""
    if gpus() or THREAD_VARIABLES & os.environ.keys():
        return
    with suppress(RuntimeError):
        tf.config.threading.set_inter_op_parallelism_threads(2)
        tf.config.threading.set_intra_op_parallelism_threads(max(1, cores() // 2))


def resolve_precision(asked: Precision, width: int) -> tuple[Precision, str]:
    """The Keras dtype policy, and why. `auto` takes bfloat16 where the hardware multiplies it faster.

    float16 is not offered: the gradient of a mean over 200,000 values is below its range.
    """
    if asked != "auto":
        return asked, "as asked"
    cards = gpus()
    if cards:
        capability = tf.config.experimental.get_device_details(cards[0]).get("compute_capability", (0, 0))
        text = ".".join(map(str, capability))
        if capability >= (8, 0):
            return "mixed_bfloat16", f"the GPU has compute capability {text}"
        return "float32", f"the GPU has compute capability {text}, bfloat16 needs 8.0"
    if not any(name in _cpu_flags() for name in BFLOAT16_INSTRUCTIONS):
        return "float32", "the processor has no bfloat16 instructions"
    if width < NARROWEST_BFLOAT16:
        return "float32", f"n {width} is below {NARROWEST_BFLOAT16}, where bfloat16 pays"
    times = bfloat16_speed()
    said = f"a convolution takes {1 / times:.2f} times as long in bfloat16 as in float32 here"
    return ("mixed_bfloat16" if times >= PAYS else "float32"), said


@functools.cache
def bfloat16_speed() -> float:
    """How many times as fast a convolution is in bfloat16 as in float32, forwards and backwards: the fastest of some
    rounds in turn, in less than a second. To have the instructions says little: some processors, and many virtual ones,
    take twice as long with them."""
    kinds = {name: _convolution(name) for name in ("float32", "bfloat16")}
    fastest = dict.fromkeys(kinds, float("inf"))
    for round_ in range(1 + ROUNDS):
        for name, once in kinds.items():
            start = time.perf_counter()
            once()
            if round_:  # the first one compiles
                fastest[name] = min(fastest[name], time.perf_counter() - start)
    return fastest["float32"] / fastest["bfloat16"]


def _convolution(dtype: str) -> Callable[[], float]:
    """A convolution with its gradients, as a step has many."""
    batch, side, filters = TRIED

    @tf.function
    def once(x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            tape.watch((x, kernel))
            y = tf.nn.relu(tf.nn.conv2d(x, kernel, 1, "SAME"))
        return tf.add_n([tf.reduce_sum(tf.cast(each, tf.float32)) for each in tape.gradient(y, (x, kernel))])

    x, kernel = tf.ones((batch, side, side, filters), dtype), tf.ones((3, 3, filters, filters), dtype)
    return lambda: float(once(x, kernel))


def describe() -> Iterable[tuple[str, str]]:
    """(what, picked and why) of everything here that is not an option."""
    cards = gpus()
    if cards:
        yield "device", f"{len(cards)} GPU{'s' * (len(cards) > 1)}"
        yield "XLA", "on: it fuses the element-wise half of a step on a GPU"
    else:
        yield "device", f"CPU, {cores()} cores"
        yield "XLA", "off: it is slower than oneDNN on a CPU"
        if given := sorted(THREAD_VARIABLES & os.environ.keys()):
            yield "threads", f"as {' and '.join(given)} say"
        else:
            each = max(1, cores() // 2)
            yield "threads", f"{each} for each of two ops at a time: a tenth faster than TensorFlow's own on two cores"
    if "TF_CONFIG" in os.environ:
        yield "machines", "those of TF_CONFIG"
    yield "steps per execution", "1: every step is watched"


def _cpu_flags() -> str:
    try:
        return Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
