"""What becomes of the parent when a worker ends, and of the workers when the parent does."""

import os
import random
import signal
import struct
import subprocess
import sys
import threading
import time
from itertools import count
from pathlib import Path

import numpy as np
import pytest

from lmedge.datasets.options import SynthesizeConfig
from lmedge.errors import LmedgeError
from lmedge.faces.options import PrepareConfig, ToyConfig
from lmedge.processes import Processes
from lmedge.scheme import IBUG49
from lmedge.study.options import StudyConfig
from tests.test_kill import children

SOON = 8.0  # seconds
BIG = 1 << 22  # bytes of an answer: far more than a pipe holds, so that most of the time one is on its way


def nothing() -> None:
    """A worker's start."""


def fails_to_start(file: Path) -> None:
    file.read_bytes()


def big(number: int) -> bytes:
    return bytes([number % 256]) * BIG


def double(number: int) -> int:
    time.sleep(random.random() / 200)
    return 2 * number


def root(number: float) -> float:
    if number < 0:
        raise ValueError(f"{number} has no root")
    return number**0.5


def dies_in_mid_sentence(number: int) -> int:
    """Begins an answer as multiprocessing's connections do, with its length, and never ends it."""
    if number == 3:
        os.write(int(sys.argv[1]), struct.pack("!i", 1 << 20) + b"half an answer")
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def dies_behind_a_long_one(number: int) -> int:
    if number:
        os.kill(os.getpid(), signal.SIGSEGV)
    time.sleep(600)
    return number


def a_lock(_: int) -> object:
    return threading.Lock()


def killed_after(delay: float) -> threading.Thread:
    """Kills a worker of this process so many seconds after there is one."""
    choice = random.Random(delay)

    def kill():
        while not (workers := children(os.getpid())):
            time.sleep(0.01)
        time.sleep(delay)
        os.kill(choice.choice(workers), signal.SIGKILL)

    thread = threading.Thread(target=kill, daemon=True)
    thread.start()
    return thread


def gone(pids: list[int]) -> bool:
    deadline = time.monotonic() + SOON
    while any(Path(f"/proc/{pid}").exists() for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not any(Path(f"/proc/{pid}").exists() for pid in pids)


def test_answers_come_in_the_order_of_the_jobs():
    with Processes(3).answers(double, range(100), (nothing, ()), parcel=3) as answers:
        assert list(answers) == [2 * number for number in range(100)]


def test_jobs_may_be_without_end():
    with Processes(2).answers(double, count(), (nothing, ())) as answers:
        assert [next(answers) for _ in range(20)] == [2 * number for number in range(20)]
    assert not children(os.getpid())


@pytest.mark.parametrize("seed", range(3))
def test_a_worker_that_is_killed_ends_the_parent_at_once(seed):
    delay = np.random.default_rng(seed).uniform(0.02, 1.0)
    start = time.monotonic()
    killer = killed_after(delay)
    with (
        pytest.raises(LmedgeError, match=r"a worker process died \(SIGKILL: out of memory\?\); run the same command"),
        Processes(2).answers(big, count(), (nothing, ()), parcel=1) as answers,
    ):
        for number, answer in enumerate(answers):
            assert answer[0] == number % 256 and len(answer) == BIG
    killer.join()
    assert time.monotonic() - start < delay + SOON
    assert not children(os.getpid())


def test_half_an_answer_ends_the_parent():
    start = time.monotonic()
    with (
        pytest.raises(LmedgeError, match="a worker process died"),
        Processes(2).answers(dies_in_mid_sentence, range(9), (nothing, ()), parcel=1) as answers,
    ):
        list(answers)
    assert time.monotonic() - start < SOON


def test_a_death_is_told_though_an_earlier_answer_is_far_away():
    start = time.monotonic()
    with (
        pytest.raises(LmedgeError, match=r"a worker process died \(SIGSEGV\)"),
        Processes(2).answers(dies_behind_a_long_one, range(2), (nothing, ()), parcel=1) as answers,
    ):
        list(answers)
    assert time.monotonic() - start < SOON
    assert not children(os.getpid())


def test_what_a_job_or_a_start_raises_is_raised_here():
    with (
        pytest.raises(ValueError, match="-1.0 has no root") as raised,
        Processes(1).answers(root, [4.0, 9.0, -1.0], (nothing, ()), parcel=1) as answers,
    ):
        assert [next(answers), next(answers)] == [2, 3]
        next(answers)
    assert "in root" in raised.value.__notes__[0]
    with (
        pytest.raises(FileNotFoundError, match="nowhere") as missing,
        Processes(2).answers(root, [4.0], (fails_to_start, (Path("nowhere"),))) as answers,
    ):
        next(answers)
    assert missing.value.filename == "nowhere"


def test_what_cannot_travel_is_an_error_and_no_wait():
    with pytest.raises(Exception, match="pickle"), Processes(1).answers(root, [lambda: 0], (nothing, ())) as answers:
        next(answers)
    with pytest.raises(Exception, match="pickle"), Processes(1).answers(a_lock, [0], (nothing, ())) as answers:
        next(answers)


def toy_verb(tmp_path, photos):
    from lmedge.faces.toy import toy

    toy(ToyConfig(out=tmp_path / "out", count=100_000, workers=2))


def prepare_verb(tmp_path, photos):
    from lmedge.faces.prepare import prepare

    for i, photo in enumerate(sorted(photos.rglob("*.png")) * 20):
        (tmp_path / f"{i}.png").symlink_to(photo)
    prepare(PrepareConfig(photos=(tmp_path,), out=tmp_path / "out", workers=2))


def synthesize_verb(tmp_path, photos):
    from lmedge.datasets.synthesize import synthesize

    synthesize(SynthesizeConfig(out=tmp_path / "out", count=100_000, format="webdataset", workers=2))


def train_lgen_verb(tmp_path, photos):
    from lmedge.annotators.face_mesh import FaceMesh
    from lmedge.annotators.looking import look

    look(FaceMesh(), np.zeros((4000, 32, 32, 3), np.uint8), IBUG49, print, executor=Processes(2))


def study_verb(tmp_path, photos):
    from lmedge.study.arms import ARMS
    from lmedge.study.study import _train
    from lmedge.study.training import Training

    config = StudyConfig(real=tmp_path, test=tmp_path, synthetic=tmp_path, out=tmp_path)
    _train(config, [Training(arm, 50, 0) for arm in ARMS], (np.zeros((0, 49, 2), np.float32), None), 1, Processes(2))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("verb", [toy_verb, prepare_verb, synthesize_verb, train_lgen_verb, study_verb])
def test_every_verb_ends_with_a_worker_that_is_killed(verb, seed, tmp_path, photos):
    """Some are killed while they start, some while they work."""
    delay = np.random.default_rng((seed, len(verb.__name__))).uniform(0.05, 1.5)
    start = time.monotonic()
    killer = killed_after(delay)
    with pytest.raises(LmedgeError, match="a worker process died"):
        verb(tmp_path, photos)
    killer.join()
    assert time.monotonic() - start < delay + SOON
    assert not children(os.getpid())


SCRIPT = """
import sys
from itertools import count
from lmedge.processes import Processes
from tests.test_processes import double, nothing

try:
    with Processes(2).answers(double, count(), (nothing, ())) as answers:
        print("begun", flush=True)
        for answer in answers:
            pass
except KeyboardInterrupt:
    print("stopped")
"""


@pytest.mark.parametrize("delay", [0.03, 0.3])
def test_ctrl_c_reaches_the_parent_alone(delay):
    """As a terminal does it: SIGINT for the whole group. The script has no `if __name__ == "__main__"`."""
    command = [sys.executable, "-c", SCRIPT]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout is not None and process.stdout.readline() == "begun\n"
    time.sleep(delay)
    workers = children(process.pid)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=SOON)
    assert (out, err) == ("stopped\n", "")
    assert gone(workers)


def test_workers_end_with_the_parent_in_the_middle_of_a_job():
    script = SCRIPT.replace("double", "dies_behind_a_long_one").replace("count()", "[0]")
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    assert process.stdout is not None and process.stdout.readline() == b"begun\n"
    time.sleep(0.4)
    workers = children(process.pid)
    process.kill()
    process.communicate()
    assert workers and gone(workers)
