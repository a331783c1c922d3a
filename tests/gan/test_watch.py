"""Trainings that go wrong, in earnest."""

import json

import numpy as np
import pytest

from lmedge.errors import LmedgeError
from lmedge.evaluation.options import ReportConfig
from lmedge.evaluation.report import report
from lmedge.gan import checkpoint, health
from lmedge.gan.families.began import health as began_health
from lmedge.gan.families.began.gan import Began
from lmedge.gan.step import Step
from lmedge.gan.train import train_gan
from lmedge.run import Run
from tests.conftest import tiny_training


@pytest.fixture
def impatient(monkeypatch):
    """Warm-up and averages of a few steps instead of thousands of images."""
    monkeypatch.setattr(health, "WARM_UP_KIMG", 0.02)
    monkeypatch.setattr(began_health, "SMOOTHING_KIMG", 0.008)


def test_an_exploding_training_stops_at_the_checkpoint_from_before_and_goes_on_with_a_lower_rate(
    impatient, toys, tmp_path
):
    run = tmp_path / "run"
    options = {"checkpoint_every": 2, "log_every": 1, "keep_checkpoints": 1}
    train_gan(tiny_training(toys, run, steps=10, learning_rate=1e-3, **options))
    good = checkpoint.checkpoints(run / "checkpoints")[-1]
    before = good.read_bytes()
    with pytest.raises(LmedgeError, match=r"exploded|not finite") as stopped:
        train_gan(tiny_training(toys, run, steps=400, learning_rate=0.9, **options))
    kept = checkpoint.checkpoints(run / "checkpoints")[-1]
    kimg = int(kept.stem.removeprefix("step-")) * 4 / 1000
    assert f"{kept.name} ({kimg:g} kimg) is from before it" in str(stopped.value)
    events = [line for line in Run.open(run).journal() if "event" in line]
    assert events and events[-1]["event"] in str(stopped.value)
    # the generator is the one of that checkpoint
    with np.load(kept) as file:
        for i, weight in enumerate(Run.open(run).generator().get_weights()):
            assert (file[f"ema/{i:03}"] == weight).all() and np.isfinite(weight).all()
    assert kept != good or before == good.read_bytes()
    # the report says what happened
    page = report(ReportConfig(run=run)).read_text()
    assert events[-1]["event"].split(" at ")[0][:20] in page
    # and it goes on from there, at the rate asked for
    step = int(kept.stem.removeprefix("step-"))
    train_gan(tiny_training(toys, run, steps=step + 3, learning_rate=1e-4, learning_rate_floor=1e-5, **options))
    lines = [line for line in Run.open(run).log() if line["step"] > step]
    assert [line["learning_rate"] for line in lines] == pytest.approx([1e-4] * 3)


def test_nan_from_the_first_step_is_one_sentence(toys, tmp_path, monkeypatch):
    build = Began.__init__

    def broken(gan, *args):
        build(gan, *args)
        gan.discriminator.weights[0].assign(gan.discriminator.weights[0] * np.nan)

    monkeypatch.setattr(Began, "__init__", broken)
    with pytest.raises(
        LmedgeError, match=r"not finite any more \(.* is nan at 0.004 kimg\); .*No checkpoint was made before it\."
    ):
        train_gan(tiny_training(toys, tmp_path / "run", steps=9))
    assert not checkpoint.checkpoints(tmp_path / "run" / "checkpoints")


def test_out_of_memory_names_the_options(toys, tmp_path, monkeypatch):
    import tensorflow as tf

    def full(step, batch):
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")

    monkeypatch.setattr(Step, "__call__", full)
    with pytest.raises(LmedgeError, match=r"out of memory at --batch 4 and --width 4; lower --batch"):
        train_gan(tiny_training(toys, tmp_path / "run"))


def test_log_and_tensorboard_tell_the_same(toys, tmp_path):
    import tensorflow as tf
    from tensorflow.core.util.event_pb2 import Event

    run = tmp_path / "run"
    train_gan(tiny_training(toys, run, steps=6, log_every=2, sample_every=3, judge_every=6))
    told = {}
    for file in (run / "tensorboard").iterdir():
        for record in tf.data.TFRecordDataset(str(file)):
            event = Event.FromString(record.numpy())
            for value in event.summary.value:
                told[event.step, value.tag] = float(tf.make_ndarray(value.tensor))
    logged = {(line["step"], name): value for line in Run.open(run).journal() for name, value in line.items()
              if name not in ("step", "kimg")}  # fmt: skip
    assert logged.keys() == told.keys() and (6, "frechet") in told and (3, "diversity") in told
    assert [told[key] for key in logged] == pytest.approx(list(logged.values()), rel=1e-4)
    assert json.loads((run / "log.jsonl").read_text().splitlines()[0])["kimg"] == 0.008
