"""Ctrl-C, where Python alone would lose it, and in real verbs."""

import dataclasses
import os
import signal
import subprocess
import sys
import time

import pytest

from lmedge import cli, interrupt

START = "import os, sys, time; from lmedge import interrupt; interrupt.GRACE = 0.5; interrupt.listen()\n"
GOES_ON = """
for first in (True, False):
    try:
        if first:
            print("ready", flush=True)
        time.sleep(8)
    except BaseException:
        pass
print("went on", flush=True)
"""
# What swallows KeyboardInterrupt, or does not come to it.
PLACES = {
    "an import": "import swallows",
    "a loop": GOES_ON,
    "a finaliser": (
        "class Slow:\n    def __del__(self):\n        print('ready', flush=True); time.sleep(10)\n"
        "Slow(); time.sleep(10); print('went on')"
    ),
    "native code": "import hashlib; print('ready', flush=True); hashlib.pbkdf2_hmac('sha512', b'a', b'b', 40_000_000)",
    "messages off": "os.dup2(os.open(os.devnull, os.O_WRONLY), 2)" + GOES_ON,
}


def started(code, folder):
    """A Python that has said that it is ready."""
    (folder / "swallows.py").write_text("import time\n" + GOES_ON)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), *sys.path])}
    process = subprocess.Popen([sys.executable, "-c", START + code], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               text=True, env=environment)  # fmt: skip
    assert process.stdout.readline() == "ready\n"
    time.sleep(0.1)  # until it is there
    return process


@pytest.mark.parametrize("place", PLACES)
def test_ctrl_c_is_not_lost_in(place, tmp_path):
    process = started(PLACES[place], tmp_path)
    sent = time.monotonic()
    process.send_signal(signal.SIGINT)
    said, errors = process.communicate(timeout=20)
    assert time.monotonic() - sent < 4 and "went on" not in said
    assert process.returncode == 130 and errors == f"lmedge: {interrupt.STOPPED}\n"


def test_blocks_tidy_up(tmp_path):
    code = """
from lmedge.folders import making_folder
from pathlib import Path
try:
    with making_folder(Path("out"), "a thing", False):
        print("ready", flush=True)
        time.sleep(20)
except KeyboardInterrupt:
    sys.exit(interrupt.finish(7))
"""
    process = started(f"os.chdir({str(tmp_path)!r})\n" + code, tmp_path)
    assert any("out" in path.name for path in tmp_path.iterdir())
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 7 and not errors
    assert not any("out" in path.name for path in tmp_path.iterdir())


SAVES = """
import threading
asked = threading.Event()
with interrupt.asking(asked.set, "saving"):
    print("ready", flush=True)
    while not asked.is_set():
        sum(range(1000))
    print("asked", flush=True)
    time.sleep(20 * int(sys.stdin.readline()))
    print("saved", flush=True)
"""


def test_who_saves_is_asked_and_the_second_time_ends_at_once(tmp_path):
    def asked(seconds):
        process = subprocess.Popen([sys.executable, "-c", START + SAVES], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True)  # fmt: skip
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGTERM if seconds else signal.SIGINT)
        assert process.stderr.readline() == "lmedge: saving\n" and process.stdout.readline() == "asked\n"
        process.stdin.write(f"{seconds}\n")
        process.stdin.flush()
        return process

    process = asked(0)
    assert process.communicate(timeout=10) == ("saved\n", "") and process.returncode == 0
    process = asked(1)
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=10) == ("", f"lmedge: {interrupt.STOPPED}\n") and process.returncode == 130


LATE = """
import signal
read = os.read
os.read = lambda *args: (time.sleep(1), read(*args))[1]
def end():
    raise SystemExit(interrupt.EXIT_CODE)
try:
    with interrupt.asking(end, "no longer served"):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(20)
except SystemExit:
    sys.exit(interrupt.finish(interrupt.EXIT_CODE))
"""


def test_who_ends_at_once_says_so_where_the_thread_that_listens_comes_late():
    done = subprocess.run([sys.executable, "-c", START + LATE], capture_output=True, text=True, check=False, timeout=30)
    assert (done.returncode, done.stderr) == (130, "lmedge: no longer served\n")


def test_what_follows_from_ctrl_c_is_not_told_as_another_failure(monkeypatch, capsys):
    def turned(config):
        raise RuntimeError("UnknownError: KeyboardInterrupt: in a callback")

    monkeypatch.setitem(cli.VERBS, "doctor", dataclasses.replace(cli.VERBS["doctor"], run=turned))
    assert cli.main(["doctor"]) == 1
    monkeypatch.setattr(interrupt, "pressed", lambda: True)
    capsys.readouterr()
    assert cli.main(["doctor"]) == 130 and capsys.readouterr().err == f"lmedge: {interrupt.STOPPED}\n"


@pytest.mark.parametrize(("verb", "moment"), [("train-gan", 0.3), ("train-lgen", 1.2), ("export", 2.1)])
def test_verbs_end_in_their_first_seconds(trained, toys, tmp_path, verb, moment):
    args = {
        "train-gan": (toys, "--run", tmp_path / "run", "--preset", "toy32"),
        "train-lgen": (trained, "--data", "inverted", "--steps", "100000"),
        "export": (trained, "--out", tmp_path / "out"),
    }[verb]
    process = subprocess.Popen([sys.executable, "-m", "lmedge", verb, *map(str, args)], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)  # fmt: skip
    time.sleep(moment)
    process.send_signal(signal.SIGINT)
    said, errors = process.communicate(timeout=20)
    assert process.returncode == 130 and not said and errors == f"lmedge: {interrupt.STOPPED}\n"
    assert not list(tmp_path.iterdir())
