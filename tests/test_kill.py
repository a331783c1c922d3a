"""SIGKILL in the middle of a verb, then the same command: nothing is lost, nothing half-written stays."""

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from lmedge.inversion.latents import load_latents
from lmedge.run import Run


def start(args):
    command = [sys.executable, "-m", "lmedge", *map(str, args)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def kill_when(args, sign, delay=0.0):
    """Starts the command and kills it when `sign()` is true; says whether it was still running."""
    process = start(args)
    deadline = time.monotonic() + 120
    while not sign() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    time.sleep(delay)
    running = process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.wait()
    return running


def children(pid):
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            found.append(int(entry.parent.name))
    return found


def names(folder):
    return {path.name for path in folder.iterdir()}


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.mark.slow
def test_toy(tmp_path, lmedge_here):
    def args(name):
        return ("toy", "--count", 600, "--size", 32, "--workers", 2, "--out", tmp_path / name)

    process = start(args("killed"))
    while not list(tmp_path.rglob("faces-00000-*")) and process.poll() is None:
        time.sleep(0.005)
    workers = children(process.pid)
    process.kill()
    process.wait()
    assert not (tmp_path / "killed" / "dataset.json").exists()
    deadline = time.monotonic() + 20
    while any(Path(f"/proc/{pid}").exists() for pid in workers) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert workers and not any(Path(f"/proc/{pid}").exists() for pid in workers)
    assert lmedge_here("info", tmp_path / "killed").returncode == 2
    assert lmedge_here(*args("killed")).returncode == 0
    assert lmedge_here(*args("whole")).returncode == 0
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")


def test_invert(trained, toys, tmp_path, lmedge):
    runs = [shutil.copytree(trained, tmp_path / name) for name in ("killed", "whole")]
    for run in runs:
        shutil.rmtree(run / "latents")
    options = ("--steps", 120, "--batch", 16, "--encoder-steps", 20)
    assert kill_when(("invert", runs[0], toys, *options), lambda: list(runs[0].rglob("latents.json")), 1.0)
    for run in runs:
        done = lmedge("invert", run, toys, *options)
        assert done.returncode == 0, done.stderr
    killed, whole = (load_latents(Run(run)) for run in runs)
    assert (killed.z == whole.z).all() and (killed.index == np.arange(48)).all()


@pytest.mark.parametrize("verb", ["export", "sample"])
def test_verbs_that_start_again(trained, bundle, tmp_path, lmedge_here, verb):
    run = shutil.copytree(trained, tmp_path / "work" / "run")
    out = tmp_path / "work" / "out"
    before = names(run)
    args, sign, delay = {
        "export": (("export", run, "--out", out), (out.parent / ".out.partial").exists, 1.0),
        "sample": (("sample", bundle, "--count", 20000, "--out", out), (out.parent / ".out.partial").exists, 0.2),
    }[verb]
    assert kill_when(args, sign, delay)
    assert not out.exists()
    args = tuple({20000: 20}.get(arg, arg) for arg in args)
    args += ("--variants", "fp32") if verb == "export" else ()
    done = lmedge_here(*args)
    assert done.returncode == 0, done.stderr
    assert not [name for name in names(out.parent) | names(run) if name.startswith(".")]
    assert before <= names(run)
    if verb == "export":
        assert lmedge_here("info", out).returncode == 0
