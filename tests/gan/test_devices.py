"""What is picked for a machine. GPUs are pretended: the code path is the one of the CPU."""

import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from lmedge.gan import devices
from lmedge.gan.draws import Draws
from lmedge.gan.families.began.options import BeganConfig
from lmedge.gan.train import picked, resolve
from lmedge.latent import uniform
from tests.gan import tiny_step


def config(tmp_path, **options):
    return BeganConfig(dataset=tmp_path, run=tmp_path, **options)


@pytest.fixture
def cards(monkeypatch):
    """Pretends GPUs: `cards(count, capability)`."""

    def pretend(count, capability=(8, 6)):
        monkeypatch.setattr(devices, "gpus", lambda: ["gpu"] * count)
        details = {"compute_capability": capability}
        monkeypatch.setattr(tf.config.experimental, "get_device_details", lambda card: details)

    return pretend


def flags(monkeypatch, text):
    monkeypatch.setattr(devices, "_cpu_flags", lambda: text)


@pytest.mark.parametrize(
    ("instructions", "width", "speed", "precision", "why"),
    [
        ("fma avx512_bf16 sse", 16, 1.6, "mixed_bfloat16", "takes 0.62 times as long in bfloat16"),
        ("fma avx512_bf16 sse", 16, 0.5, "float32", "takes 2.00 times as long in bfloat16"),
        ("fma avx512_bf16 sse", 16, 1.1, "float32", "takes 0.91 times"),
        ("fma avx512_bf16 sse", 8, 1.6, "float32", "n 8 is below 16"),
        ("fma avx2", 32, 1.6, "float32", "no bfloat16 instructions"),
    ],
)
def test_precision_on_a_cpu(monkeypatch, instructions, width, speed, precision, why):
    flags(monkeypatch, instructions)
    monkeypatch.setattr(devices, "bfloat16_speed", lambda: speed)
    found, reason = devices.resolve_precision("auto", width)
    assert found == precision and why in reason
    assert devices.resolve_precision("float32", width) == ("float32", "as asked")


def test_a_cpu_trains_small_batches(tmp_path):
    resolved = resolve(config(tmp_path))
    assert (resolved.batch, resolved.learning_rate, resolved.width) == (16, 1e-4, 32)


@pytest.mark.parametrize(("count", "batch", "rate"), [(1, 64, 2e-4), (4, 256, 4e-4)])
def test_gpus_train_larger_batches_with_the_rate_that_goes_with_them(cards, tmp_path, count, batch, rate):
    cards(count)
    resolved = resolve(config(tmp_path))
    assert resolved.batch == batch and resolved.learning_rate == pytest.approx(rate)
    assert resolved.precision == "mixed_bfloat16"
    assert resolve(config(tmp_path, batch=16, learning_rate=3e-4)).learning_rate == 3e-4


def test_an_old_gpu_stays_in_float32(cards, tmp_path):
    cards(1, (7, 5))
    assert resolve(config(tmp_path)).precision == "float32"
    told = dict(picked(config(tmp_path)))
    assert "7.5" in told["precision"] and told["device"] == "1 GPU" and told["XLA"].startswith("on")


def test_the_dry_run_says_what_was_picked_and_why(lmedge_here, tmp_path):
    done = lmedge_here("train-gan", tmp_path, "--run", tmp_path, "--family", "began", "--dry-run")
    assert done.returncode == 0 and '"batch": 16' in done.stdout
    for what in ("device", "XLA", "threads", "precision", "batch", "learning rate", "steps per execution"):
        assert f"\n{what} " in "\n" + done.stderr, what
    assert "1e-04: 0.0001 times the root of batch / 16" in done.stderr or "0.0001: 0.0001 times" in done.stderr


def test_a_training_takes_two_ops_at_a_time_unless_told_otherwise():
    program = """
import os
from lmedge.gan.devices import cores, describe, take_threads
import tensorflow as tf
for given in ("5", None):
    if given:
        os.environ["TF_NUM_INTEROP_THREADS"] = given
    else:
        del os.environ["TF_NUM_INTEROP_THREADS"]
    take_threads()
    print(tf.config.threading.get_inter_op_parallelism_threads(), cores(), dict(describe())["threads"])
tf.constant(1)
take_threads()  # too late, and no error
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told, free = (line.split(maxsplit=2) for line in done.stdout.splitlines())
    assert int(told[0]) == 0 and told[2].startswith("as TF_NUM_INTEROP_THREADS")
    assert int(free[0]) == 2 and free[2].startswith(f"{max(1, int(free[1]) // 2)} for each of two")


def test_xla_compiles_the_step_that_the_cpu_runs(monkeypatch):
    images = np.random.default_rng(0).integers(0, 256, (8, 16, 16, 3)).astype(np.uint8)
    fixed = tf.constant(uniform(8, 8, 0))
    monkeypatch.setattr(Draws, "_drawn", lambda *_: fixed)  # XLA draws other numbers
    plain, compiled = (tiny_step(compiled=how) for how in (False, True))
    for _ in range(3):
        figures = plain(images)
        assert compiled(images) == pytest.approx(figures, rel=2e-3)
