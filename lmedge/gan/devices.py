"""What to compute on, and in which numbers."""

import contextlib
import os
from pathlib import Path

import tensorflow as tf

from lmedge.config import Precision

BFLOAT16_INSTRUCTIONS = ("avx512_bf16", "amx_bf16", " bf16")


def strategy() -> tf.distribute.Strategy:
    """MirroredStrategy over several GPUs, otherwise TensorFlow's default (one GPU, or the CPU)."""
    gpus = tf.config.list_physical_devices("GPU")
    for gpu in gpus:  # leave the rest of the card to others, such as a second run
        tf.config.experimental.set_memory_growth(gpu, True)
    return tf.distribute.MirroredStrategy() if len(gpus) > 1 else tf.distribute.get_strategy()


def share_cores() -> None:
    """Lets two ops run at a time on a CPU, each on half of the cores. In a step of BEGAN the real and the generated
    half do not wait for each other, and two ops side by side use two cores better than one op split in two.

    TensorFlow takes this once a process: it does nothing after the first op.
    """
    if tf.config.list_physical_devices("GPU"):
        return
    with contextlib.suppress(RuntimeError):
        tf.config.threading.set_inter_op_parallelism_threads(2)
        tf.config.threading.set_intra_op_parallelism_threads(max(1, cores() // 2))


def cores() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def resolve_precision(asked: Precision, width: int) -> Precision:
    """The Keras dtype policy for `auto`: bfloat16 where it is faster.

    On a CPU that is where it has bfloat16 instructions and n >= 32: below, converting costs more than the
    narrower products save. float16 is not offered: the gradient of a mean
    over 200,000 values is below its range.
    """
    if asked != "auto":
        return asked
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        details = tf.config.experimental.get_device_details(gpus[0])
        capable = details.get("compute_capability", (0, 0)) >= (8, 0)
    else:
        capable = width >= 32 and any(name in _cpu_flags() for name in BFLOAT16_INSTRUCTIONS)
    return "mixed_bfloat16" if capable else "float32"


def _cpu_flags() -> str:
    try:
        return Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
