"""A Ray cluster of two nodes that have nothing but a wire between them: each in a network namespace of its own, started
by `ray start` as on two machines. Skipped where Ray is not installed, and who runs this may not make namespaces."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.test_executor import contents

ROOT = Path(__file__).parents[1]
FIRST, SECOND = "lmedge-first", "lmedge-second"
ADDRESS = {FIRST: "192.0.2.1", SECOND: "192.0.2.2"}  # TEST-NET-1, RFC 5737
PORT = 6379
FACES = 12 * 1024  # that both have parts to draw when the wire is cut


def ip(*words):
    subprocess.run(["ip", *words], check=True, capture_output=True)


def in_network(name, *words, start=subprocess.run, **options):
    """A Python in the namespace."""
    return start(["ip", "netns", "exec", name, sys.executable, *map(str, words)], **options)


def processes_in(name):
    listed = subprocess.run(["ip", "netns", "pids", name], check=False, capture_output=True, text=True)
    return [int(word) for word in listed.stdout.split()]


def kill_all(name):
    for process in processes_in(name):
        subprocess.run(["kill", "-9", str(process)], check=False, capture_output=True)


@pytest.fixture
def nodes(monkeypatch, tmp_path):
    """The two, each with a core."""
    pytest.importorskip("ray")
    try:
        ip("netns", "add", FIRST)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no network namespaces: {error}")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), *sys.path[1:]]))
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("RAY_ADDRESS", f"{ADDRESS[FIRST]}:{PORT}")
    monkeypatch.setenv("HOME", str(tmp_path))  # where a token of the user may lie
    try:
        ip("netns", "add", SECOND)
        ip("link", "add", FIRST, "netns", FIRST, "type", "veth", "peer", "name", SECOND, "netns", SECOND)
        for name, address in ADDRESS.items():
            ip("-n", name, "link", "set", "lo", "up")
            ip("-n", name, "address", "add", f"{address}/24", "dev", name)
            ip("-n", name, "link", "set", name, "up")
            where = ["--head", "--port", PORT, "--include-dashboard", "false"] if name == FIRST else [
                "--address", f"{ADDRESS[FIRST]}:{PORT}"]  # fmt: skip
            in_network(name, "-m", "ray.scripts.scripts", "start", *where, "--node-ip-address", address,
                       "--num-cpus", 1, check=True, capture_output=True)  # fmt: skip
        yield
    finally:
        for name in ADDRESS:
            kill_all(name)
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)


def synthesize(*words):
    return ["-m", "lmedge", "synthesize", "--count", FACES, "--seed", 4, "--format", "webdataset", *words]


def works_on(name):
    """Has an actor of lmedge been started there?"""
    commands = [Path(f"/proc/{process}/cmdline") for process in processes_in(name)]
    return any(b"ray::Worker" in path.read_bytes() for path in commands if path.exists())


def test_a_node_whose_wire_is_cut_costs_no_face(nodes, tmp_path):
    far = in_network(FIRST, *synthesize("--out", tmp_path / "far", "--on", "ray"), start=subprocess.Popen,
                     stderr=subprocess.PIPE, text=True)  # fmt: skip
    while not works_on(SECOND) or not list(tmp_path.rglob("*.tar")):
        assert far.poll() is None, far.communicate()[1]
        time.sleep(0.02)
    ip("-n", SECOND, "link", "set", SECOND, "down")
    told = far.communicate(timeout=600)[1]
    assert far.returncode == 0, told
    assert "a worker of the cluster died; another one does again what it was at" in told
    subprocess.run([sys.executable, *map(str, synthesize("--out", tmp_path / "here"))], check=True, capture_output=True)
    assert contents(tmp_path / "far") == contents(tmp_path / "here")
