import json
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from lmedge.errors import LmedgeError, UsageError
from lmedge.faces.options import ToyConfig
from lmedge.faces.records import FaceDataset
from lmedge.faces.toy import toy
from lmedge.gan import checkpoint
from lmedge.gan.families.began.options import BeganConfig
from lmedge.gan.judge import Judge
from lmedge.gan.options import TrainGanConfig
from lmedge.gan.step import Step
from lmedge.gan.train import train_gan
from lmedge.gan.training import Training
from lmedge.latent import LatentSpec
from lmedge.run import Run
from tests.conftest import reordered, tiny_training

TRAIN = [
    sys.executable, "-m", "lmedge", "train-gan", "--family", "began", "--preset", "toy32", "--width", "4", "--latent",
    "8", "--batch", "4", "--precision", "float32", "--checkpoint-every", "0.012", "--log-every", "0.008",
    "--sample-every", "0.024",
]  # fmt: skip


def arrays(run, step):
    """Everything in a checkpoint but the note: its averages start anew where a run is continued."""
    with np.load(checkpoint.checkpoint_path(run / "checkpoints", step)) as file:
        return {name: file[name] for name in file.files if name != "note"}


def assert_same(first, second):
    assert first.keys() == second.keys()
    for name, array in first.items():
        assert (array == second[name]).all(), name


def test_a_run_folder_holds_what_the_design_says(trained):
    names = {path.name for path in trained.iterdir()}
    assert {"config.json", "log.jsonl", "checkpoints", "generator.keras", "samples", "tensorboard"} <= names
    lines = Run.open(trained).log()
    assert [line["step"] for line in lines] == [2, 4, 6]
    assert {"loss_real", "loss_fake", "k", "measure", "learning_rate", "images_per_second", "kimg"} <= set(lines[0])
    with Image.open(trained / "samples" / "step-00000006.png") as picture:
        assert picture.size == (8 * 34 - 2, 8 * 34 - 2)
    options = Run.open(trained).stage("train-gan", BeganConfig)
    assert options["width"] == 4 and options["precision"] == "float32" and options["family"] == "began"


def test_the_saved_generator_is_the_averaged_one(trained):
    stored = arrays(trained, 6)
    weights = Run.open(trained).generator().get_weights()
    for i, weight in enumerate(weights):
        assert (stored[f"ema/{i:03}"] == weight).all()


def test_a_killed_run_ends_with_the_weights_of_the_run_left_alone(toys, tmp_path):
    run = tmp_path / "run"
    command = [*TRAIN, str(toys), "--run", str(run)]
    first = subprocess.Popen([*command, "--kimg", "400", "--keep-checkpoints", "1000"], stderr=subprocess.DEVNULL)
    early, later = (checkpoint.checkpoint_path(run / "checkpoints", step) for step in (3, 6))
    deadline = time.monotonic() + 120
    while not later.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.3)  # in the middle of some later step
    first.kill()
    first.wait()
    alone = arrays(run, 6)  # until here nobody had touched it
    # Back to the early checkpoint, as if the kill had come right after it; its log is longer than it.
    for path in set(early.parent.iterdir()) - {early}:
        path.unlink()
    done = subprocess.run([*command, "--kimg", "0.024"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "from 0.012 kimg" in done.stderr
    assert_same(arrays(run, 6), alone)
    assert [line["step"] for line in Run.open(run).log()] == [2, 6] or [
        line["step"] for line in Run.open(run).log()
    ] == [2, 4, 6]


def test_asked_to_stop_it_saves_first(toys, tmp_path):
    run = tmp_path / "run"
    command = [*TRAIN, str(toys), "--run", str(run), "--kimg", "400"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while not (run / "checkpoints").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)  # Ctrl-C: tests/test_interrupt.py
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    *_, saving, last = (line for line in errors.strip().splitlines() if line.startswith("lmedge: "))
    assert saving == f"lmedge: saving {run}; once more ends without that."
    assert "saved; the same command goes on from there" in last
    step = round(float(last.split("stopped at ")[1].split()[0]) * 1000 / 4)
    assert checkpoint.checkpoint_path(run / "checkpoints", step).exists()
    assert (run / "generator.keras").exists()


def test_the_first_pictures_are_there_before_the_first_step(toys, tmp_path, monkeypatch, capsys):
    seen = {}

    def look(step, batch):
        seen.setdefault("files", sorted(path.name for path in (tmp_path / "run" / "samples").iterdir()))
        seen.setdefault("said", capsys.readouterr().err)
        return take(step, batch)

    take = Step.__call__
    monkeypatch.setattr(Step, "__call__", look)
    train_gan(tiny_training(toys, tmp_path / "run", steps=1))
    assert seen["files"] == ["real.png", "step-00000000.png"]
    assert f"pictures in {tmp_path / 'run' / 'samples'}: real.png, step-00000000.png" in seen["said"]
    with Image.open(tmp_path / "run" / "samples" / "real.png") as picture:
        first = np.asarray(picture)[:32, :32]
    assert (first == FaceDataset(toys).images([0])[0]).all()
    with Image.open(tmp_path / "run" / "samples" / "step-00000000.png") as picture:
        assert picture.size == (8 * 34 - 2, 8 * 34 - 2)


class FakeJournal:
    def __init__(self):
        self.lines = []

    def write(self, training, values):
        self.lines.append(values)


def test_who_is_asked_to_stop_does_not_measure_first(toys, trained):
    training = Training(gan=None, average=Run.open(trained).generator(), batch=4, step=1)
    judge = Judge(FakeJournal(), 1, LatentSpec.uniform(8), FaceDataset(toys))
    extract = judge.extract

    def asked_while_it_measures(faces, advance):
        training.stopped = True
        return extract(faces, advance)

    judge.extract = asked_while_it_measures
    judge.after_step(training)
    assert judge.real is None and not judge.journal.lines
    training.stopped, judge.extract = False, extract
    judge.after_step(training)
    assert judge.journal.lines[0]["frechet"] > 0


def test_a_finished_run_is_left_alone_wherever_its_dataset_lies_now(toys, trained, tmp_path, capsys):
    run, moved = shutil.copytree(trained, tmp_path / "run"), shutil.copytree(toys, tmp_path / "moved")
    assert train_gan(tiny_training(moved, run, log_every=2, sample_every=6)).kimg == 0.024
    assert "raise --kimg to go on" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (
            lambda noted: noted["stages"].pop("train-gan"),
            "config.json does not say how .*checkpoints were made; take a",
        ),
        (lambda noted: noted.pop("dataset"), "config.json does not say how .*checkpoints were made; take a"),
        (lambda noted: noted.pop("latent"), "config.json does not say what latents are"),
        (lambda noted: noted["latent"]["blocks"][0].update(low=float("nan")), "config.json.* has nan for 'low', not a"),
        (
            lambda noted: noted["latent"]["blocks"][0].update(size=9),
            "config.json: its latent has 8 numbers and blocks of 9",
        ),
        (lambda noted: noted["dataset"].update(scheme=[]), "config.json, 'dataset'"),
        (lambda noted: noted.update(versions=3), "config.json has 3 for 'versions'"),
    ],
)
def test_a_finished_run_with_a_damaged_record_is_refused(toys, trained, tmp_path, damage, reason):
    run = Run(shutil.copytree(trained, tmp_path / "run"))
    noted = json.loads(run.config_file.read_text())
    damage(noted)
    run.config_file.write_text(json.dumps(noted))
    with pytest.raises(LmedgeError, match=reason):
        train_gan(tiny_training(toys, run.path, log_every=2, sample_every=6))


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"gamma": 0.7}, r"--gamma is 0.7 and .* was trained with 0.5"),
        ({"width": 8}, "--width is 8"),
        ({"learning_rate": 0.0, "learning_rate_floor": 0.0}, "--learning-rate must be"),
        ({"steps": 0}, "--kimg must be between 0.001 and 1000000, not 0"),
        ({"batch": 64}, "has 48 faces, fewer than --batch 64"),
        ({"preset": "cpu64"}, r"faces of 32 pixels and --preset cpu64 is for 64; take --preset toy32"),
    ],
)
def test_options_that_do_not_fit_are_refused(toys, trained, options, reason):
    with pytest.raises(UsageError, match=reason):
        train_gan(tiny_training(toys, trained, **{"steps": 9, **options}))


def test_a_run_keeps_its_numbers_where_other_ones_are_faster(toys, trained, tmp_path, monkeypatch):
    run = shutil.copytree(trained, tmp_path / "run")
    monkeypatch.setattr("lmedge.gan.devices.resolve_precision", lambda asked, width: (
        ("mixed_bfloat16", "here it is faster") if asked == "auto" else (asked, "as asked")))  # fmt: skip
    options = {"log_every": 2, "sample_every": 6, "steps": 7}
    with pytest.raises(UsageError, match="--precision is 'mixed_bfloat16' and .* was trained with 'float32'"):
        train_gan(tiny_training(toys, run, precision="mixed_bfloat16", **options))
    assert train_gan(tiny_training(toys, run, precision="auto", **options)).kimg == pytest.approx(0.028)
    assert Run(run).stage("train-gan", BeganConfig)["precision"] == "float32"
    train_gan(tiny_training(toys, tmp_path / "new", precision="auto", steps=1))
    assert Run(tmp_path / "new").stage("train-gan", BeganConfig)["precision"] == "mixed_bfloat16"


def test_options_of_another_class_are_refused(toys, tmp_path):
    with pytest.raises(UsageError, match="--family began takes BeganConfig, not TrainGanConfig"):
        train_gan(TrainGanConfig(dataset=toys, run=tmp_path / "run", family="began"))


def test_another_dataset_is_refused(toys, trained, tmp_path):
    toy(ToyConfig(out=tmp_path / "fewer", count=20, workers=1))
    with pytest.raises(UsageError, match="has count 20 and the run began with 48"):
        train_gan(tiny_training(tmp_path / "fewer", trained, steps=9))
    same = reordered(toys, tmp_path / "same")
    with pytest.raises(UsageError, match=r"same holds other faces than the dataset that .*tiny began with \(.*toys"):
        train_gan(tiny_training(same, trained, steps=9))
    toy(ToyConfig(out=tmp_path / "other", count=48, workers=1, scheme="ibug68"))
    with pytest.raises(UsageError, match="has scheme ibug68 and the run began with ibug49"):
        train_gan(tiny_training(tmp_path / "other", trained, steps=9))


def test_a_folder_that_is_no_run_is_refused(toys, tmp_path):
    (tmp_path / "diary.txt").touch()
    with pytest.raises(UsageError, match="holds other things and no config.json"):
        train_gan(tiny_training(toys, tmp_path))
    with pytest.raises(UsageError, match="is not a run"):
        Run.open(tmp_path)
