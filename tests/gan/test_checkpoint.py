import json
import os
import shutil

import numpy as np
import pytest

from lmedge.errors import LmedgeError
from lmedge.gan import checkpoint
from lmedge.gan.train import train_gan
from tests.conftest import file_system, tiny_training

OPTIONS = ("--family", "began", "--preset", "toy32", "--width", "4", "--latent", "8", "--batch", "4", "--precision",
           "float32", "--checkpoint-every", "0.012", "--log-every", "0.008", "--sample-every", "0.024")  # fmt: skip


def test_only_the_newest_checkpoints_are_kept(toys, tmp_path):
    train_gan(tiny_training(toys, tmp_path / "run", steps=7, checkpoint_every=2, keep_checkpoints=2))
    assert [path.name for path in checkpoint.checkpoints(tmp_path / "run" / "checkpoints")] == [
        "step-00000006.npz", "step-00000007.npz",
    ]  # fmt: skip


def test_copies_under_other_names_are_not_deleted_with_old_checkpoints(tmp_path):
    for copy in ("step-00000000_mine.npz", "step-best.npz"):
        (tmp_path / copy).write_bytes(b"mine")
    for step in (1, 2, 3):
        checkpoint.save(tmp_path, step, {}, {}, keep=1)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "step-00000000_mine.npz", "step-00000003.npz", "step-best.npz",
    ]  # fmt: skip


@pytest.mark.parametrize("damage", ["cut", "other"])
def test_a_bad_checkpoint_is_refused_in_a_sentence(toys, trained, tmp_path, damage):
    run = shutil.copytree(trained, tmp_path / "run")
    path = checkpoint.checkpoint_path(run / "checkpoints", 6)
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-2000])
    else:
        with np.load(path) as file:
            stored = {name: file[name] for name in file.files}
        np.savez(path, **{**stored, "generator/000": np.zeros((3, 3))})
    with pytest.raises(LmedgeError, match=r"is damaged|of another size"):
        train_gan(tiny_training(toys, run, steps=9))


def test_a_run_or_checkpoint_of_another_version_is_refused(toys, trained, tmp_path):
    run = shutil.copytree(trained, tmp_path / "run")
    path = checkpoint.checkpoint_path(run / "checkpoints", 6)
    with np.load(path) as file:
        stored = {name: file[name] for name in file.files}
    note = {**json.loads(stored["note"].tobytes()), "schema": 1}
    np.savez(path, **{**stored, "note": np.frombuffer(json.dumps(note).encode(), np.uint8)})
    with pytest.raises(LmedgeError, match=r"step-00000006.npz is of another version of lmedge; name another --run"):
        train_gan(tiny_training(toys, run, steps=9))
    config = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps({**config, "schema": 1}))
    with pytest.raises(LmedgeError, match=r"config.json has schema 1, this version reads 4"):
        train_gan(tiny_training(toys, run, steps=9))


def test_a_checkpoint_is_data_and_runs_nothing(trained, tmp_path):
    """An array of Python objects needs pickle, which may run anything."""

    class Bomb:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "bombed"),)

    path = tmp_path / "step-00000001.npz"
    np.savez(path, note=np.array([Bomb()], dtype=object))
    with pytest.raises(LmedgeError, match="is damaged"):
        checkpoint.restore(path, None)  # type: ignore[arg-type]
    assert not (tmp_path / "bombed").exists()


@pytest.fixture
def small_disk(tmp_path):
    with file_system(tmp_path / "disk", "size=2m") as folder:
        yield folder


def test_a_full_disk_keeps_the_last_good_checkpoint(toys, small_disk, lmedge_here):
    run = small_disk / "run"
    args = ["train-gan", *OPTIONS, toys, "--run", run]
    assert lmedge_here(*args, "--kimg", 0.012).returncode == 0
    good = checkpoint.checkpoint_path(run / "checkpoints", 3)
    before = good.read_bytes()
    free = os.statvfs(small_disk).f_bavail * os.statvfs(small_disk).f_frsize
    (small_disk / "filler").write_bytes(bytes(max(0, free - len(before) // 2)))
    done = lmedge_here(*args, "--kimg", 0.036)
    assert done.returncode == 1 and "the disk is full" in done.stderr.splitlines()[-1]
    assert checkpoint.checkpoints(run / "checkpoints") == [good] and good.read_bytes() == before
    (small_disk / "filler").unlink()
    done = lmedge_here(*args, "--kimg", 0.036)
    assert done.returncode == 0 and "from 0.012 kimg" in done.stderr
