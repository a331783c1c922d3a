"""A training on the nodes of a Ray cluster on this machine; what needs Ray is skipped where it is not installed."""

import json
import math
import signal
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import pytest

from lmedge.errors import LmedgeError, UsageError
from lmedge.gan.checkpoint import checkpoint_path, checkpoints, step_of
from lmedge.gan.families.began.options import BeganConfig
from lmedge.gan.machines import room, train_on_cluster
from lmedge.gan.train import picked, train_gan
from lmedge.options import to_json
from lmedge.run import Run
from tests.conftest import TINY, tiny_training
from tests.test_cluster import cluster, started  # noqa: F401

BATCH = TINY["batch"]


def training(toys, run, steps, **options):
    """A line a step, a checkpoint every other one."""
    return tiny_training(toys, run, steps, **{"log_every": 1, "checkpoint_every": 2, **options})


def losses(run):
    return [[line[name] for name in ("loss_real", "loss_fake", "measure")] for line in Run.open(run).log()]


def steps_of(run):
    return [line["step"] for line in Run.open(run).log() if "loss_real" in line]


def when(there, do):
    """Does it in a thread, as soon as a file is there."""

    def wait():
        deadline = time.monotonic() + 300
        while not there.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        do()

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    return thread


def refuse(options):
    raise UsageError(f"{options.on} and {options.workers} workers")


def test_two_nodes_train_as_one_and_so_does_the_one_that_is_left(cluster, toys, tmp_path, capfd):  # noqa: F811
    steps, run = 400, tmp_path / "there"
    node = cluster.worker_nodes.copy().pop()
    early = checkpoint_path(run / "checkpoints", 10)
    killer = when(early, lambda: cluster.remove_node(node, allow_graceful=False))
    there = train_gan(training(toys, run, steps, on="ray", checkpoint_every=10))
    killer.join()
    told = capfd.readouterr().err
    assert told.count("on 2 nodes of the cluster") == told.count("on 1 node of the cluster") == 1
    assert "a machine was lost" in told and f"{there.kimg:g}/{steps * BATCH / 1000:g} kimg" in told
    assert there.kimg == steps * BATCH / 1000 and steps_of(run) == list(range(1, steps + 1))
    assert all(math.isfinite(loss) for line in losses(run) for loss in line)
    train_gan(training(toys, tmp_path / "here", 10))
    for ours, theirs in zip(losses(run), losses(tmp_path / "here"), strict=False):
        assert ours == pytest.approx(theirs, rel=1e-3)


def test_ctrl_c_saves_and_the_run_goes_on_without_the_cluster(cluster, toys, tmp_path):  # noqa: F811
    run = tmp_path / "run"
    options = tmp_path / "options.json"
    options.write_text(json.dumps(to_json(training(toys, run, 99999, on="ray"))))
    command = [sys.executable, "-m", "lmedge", "train-gan", "--options", str(options)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    when(checkpoint_path(run / "checkpoints", 2), lambda: process.send_signal(signal.SIGINT))
    errors = process.communicate(timeout=300)[1]
    assert process.returncode == 130, errors
    *_, saving, last = (line for line in errors.splitlines() if line.startswith("lmedge: "))
    assert saving == f"lmedge: saving {run}; once more ends without that." and "saved; the same command goes on" in last
    saved = checkpoints(run / "checkpoints")[-1]
    assert f"stopped at {step_of(saved) * BATCH / 1000:g} of" in last
    steps = step_of(saved) + 4
    assert train_gan(training(toys, run, steps)).kimg == steps * BATCH / 1000
    assert steps_of(run) == list(range(1, steps + 1))


def test_machines_that_die_before_a_checkpoint_are_given_up(cluster, toys, tmp_path, capfd, monkeypatch):  # noqa: F811
    monkeypatch.setattr("lmedge.gan.machines.TRIES", 2)
    options = training(toys, tmp_path / "run", 1, on="ray")
    with pytest.raises(LmedgeError, match=r"2 times a machine .* before another checkpoint was made \(exit code 1\)"):
        train_on_cluster(options, sys.exit)
    assert capfd.readouterr().err.count("a machine was lost (exit code 1); it goes on from its beginning") == 1


def test_a_refusal_of_the_machines_is_the_command_s(cluster, toys, tmp_path):  # noqa: F811
    options = training(toys, tmp_path / "run", 1, on="ray", workers=1)
    with pytest.raises(UsageError, match="^local and 0 workers"):
        train_on_cluster(options, refuse)


def nodes(*all_of_them):
    alive = [{"Alive": True, "Resources": dict(zip(("CPU", "GPU"), each, strict=True))} for each in all_of_them]
    dead = {"Alive": False, "Resources": {"CPU": 64.0, "GPU": 8.0}}
    return SimpleNamespace(nodes=lambda: [dead, *alive])


@pytest.mark.parametrize(("all_of_them", "options", "most", "share"), [
    ([(2, 0)] * 2, {"batch": 16}, 2, {"CPU": 2}),
    ([(8, 0), (4, 0), (4, 0)], {"batch": 16}, 2, {"CPU": 4}),  # 16 cannot be shared by 3
    ([(8, 0)] * 4, {"batch": 16, "workers": 3}, 2, {"CPU": 8}),
    ([(8, 0), (16, 4), (16, 2)], {"batch": 16}, 2, {"CPU": 16, "GPU": 2}),
    ([(16, 4)] * 3, {}, 2, {"CPU": 16, "GPU": 4}),  # 64 for each GPU of a machine
    ([(0, 0), (4, 0)], {"batch": 5}, 1, {"CPU": 4}),
    ([(4, 0)] * 3, {"batch": 5}, 1, {"CPU": 4}),
    ([], {}, 0, {}),
])  # fmt: skip
def test_as_many_nodes_train_as_can_share_the_batch(all_of_them, options, most, share):
    config = BeganConfig(dataset="faces", run="run", on="ray", **options)
    assert room(nodes(*all_of_them), config) == (most, share)


def test_workers_without_a_cluster_are_refused(toys, tmp_path):
    with pytest.raises(UsageError, match="--workers 2 are nodes of a cluster; name it with --on"):
        train_gan(training(toys, tmp_path / "run", 1, workers=2))


def test_a_dry_run_says_who_picks_for_the_machines(toys, tmp_path):
    assert dict(picked(training(toys, tmp_path / "run", 1, on="ray")))["machines"].startswith("nodes of ray; each")
    assert "machines" not in dict(picked(training(toys, tmp_path / "run", 1)))
