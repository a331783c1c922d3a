"""One owner of a folder at a time."""

import json
import os
import signal
import subprocess
import sys

import pytest

from lmedge.errors import LmedgeError
from lmedge.folders import making_folder
from lmedge.gan.train import train_gan
from lmedge.owner import LOCK_FILE, owning
from lmedge.run import Run
from lmedge.runtime.options import SampleConfig
from tests.conftest import tiny_training

# Owns the folder of its first argument as the verb of the second one does, until it is killed.
OWNS = """
import sys, time
from pathlib import Path
from lmedge.folders import making_folder
from lmedge.growing import growing_folder
from lmedge.owner import owning
path, how = Path(sys.argv[1]), sys.argv[2]
made = {"made": lambda: making_folder(path, "a thing", True), "run": lambda: owning(path),
        "continued": lambda: making_folder(path, "a thing", True, resume={}),
        "grown": lambda: growing_folder(path, "a study", ("mark",), False)}
with made[how]():
    print(flush=True)
    time.sleep(60)
"""


@pytest.fixture
def owner():
    """`owner(path, how)` -> a process that owns a folder."""
    started = []

    def start(path, how):
        process = subprocess.Popen([sys.executable, "-c", OWNS, str(path), how], stdout=subprocess.PIPE)
        started.append(process)
        process.stdout.readline()
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def own(path, how):
    with {"made": lambda: making_folder(path, "a thing", True), "run": lambda: owning(path)}[how]() as folder:
        (folder / "mine").touch() if folder else None


@pytest.mark.parametrize(("there", "first", "second"), [
    (False, "made", "made"), (True, "made", "made"), (False, "continued", "made"), (True, "grown", "made"),
    (True, "run", "run"),
])  # fmt: skip
def test_the_second_command_is_told_whose_the_folder_is_and_a_dead_one_holds_nothing(
    tmp_path, owner, there, first, second
):
    out = tmp_path / "out"
    if there:
        out.mkdir()
    process = owner(out, first)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(LmedgeError, match=rf"out is in use: process {process.pid} .* writes it") as refused:
        own(out, second)
    assert refused.value.exit_code == 1 and sorted(tmp_path.rglob("*")) == before
    process.send_signal(signal.SIGKILL)
    process.wait()
    if first == "continued":  # its half-made work is not thrown away
        return
    own(out, second)
    assert not list(tmp_path.rglob(LOCK_FILE))
    own(out, second)


def test_a_lock_file_that_a_dead_process_left_and_one_that_is_damaged_hold_nothing(tmp_path):
    for text in (json.dumps({"process": os.getpid(), "host": "here", "command": "lmedge"}), "{"):
        (tmp_path / LOCK_FILE).write_text(text)
        with owning(tmp_path), pytest.raises(LmedgeError, match=f"process {os.getpid()} "), owning(tmp_path):
            raise AssertionError
        assert not list(tmp_path.iterdir())


def test_where_there_are_no_locks_this_is_said(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("lmedge.owner.fcntl", None)
    with owning(tmp_path):
        pass
    assert "cannot be locked here" in capsys.readouterr().err


def test_two_samples_into_one_folder(bundle, tmp_path, lmedge):
    """The second one deleted what the first one wrote, and both were content."""
    from lmedge.runtime.gallery import sample

    out = tmp_path / "out"
    first = subprocess.Popen([sys.executable, "-m", "lmedge", "sample", bundle, "--count", "20000", "--out", out])
    try:
        while not list(tmp_path.rglob("face-*")):
            assert first.poll() is None
        with pytest.raises(LmedgeError, match=rf"--out .*out is in use: process {first.pid} \(lmedge sample "):
            sample(SampleConfig(bundle=bundle, out=out, count=1, overwrite=True))
    finally:
        first.kill()
        first.wait()
    sample(SampleConfig(bundle=bundle, out=out, count=1))
    assert len(list(out.glob("face-*"))) == 1 and [path.name for path in tmp_path.iterdir()] == ["out"]


def test_two_trainings_of_one_run(toys, tmp_path, owner):
    run = tmp_path / "run"
    Run.create(run)
    process = owner(run, "run")
    with pytest.raises(LmedgeError, match=f"run is in use: process {process.pid}"):
        train_gan(tiny_training(toys, run))
    assert not (run / "checkpoints").exists()
