"""People whom the generator never sees."""

import hashlib
import json
import shutil

import numpy as np
import pytest

from lmedge.errors import LmedgeError, UsageError
from lmedge.evaluation.realism import realism
from lmedge.faces.records import FaceDataset
from lmedge.gan.held_out import kept_out, unseen
from lmedge.gan.train import train_gan
from lmedge.judging.features import filters
from lmedge.lgen.faces import split_of
from lmedge.run import Run
from tests.conftest import tiny_training

SHARE = 0.3


def one_by_one(groups, share):
    """As the docstring says it, in whole numbers: the first 8 bytes of the name's SHA-256, of all that there are."""
    firsts = [int(hashlib.sha256(name.encode()).hexdigest()[:16], 16) for name in groups.tolist()]
    return np.array([first < share * 2**64 for first in firsts])


@pytest.fixture(scope="module")
def seen_alone(toys, tmp_path_factory):
    """The faces of the toys that are not held out, as a dataset of its own."""
    import tensorflow as tf

    whole, out = FaceDataset(toys), tmp_path_factory.mktemp("seen") / "faces"
    shutil.copytree(toys, out)
    seen = np.flatnonzero(~one_by_one(whole.groups, SHARE))
    with tf.io.TFRecordWriter(str(out / whole.shards[0].name)) as writer:
        for example in whole.serialized(seen):
            writer.write(example)
    about = json.loads((out / "dataset.json").read_text())
    (out / "dataset.json").write_text(json.dumps({**about, "count": len(seen)}))
    return out


@pytest.fixture(scope="module")
def held(toys, tmp_path_factory):
    """A run that holds people out."""
    run = tmp_path_factory.mktemp("held") / "run"
    train_gan(tiny_training(toys, run, held_out=SHARE, judge_every=3))
    return Run.open(run)


def test_the_name_of_a_group_decides_and_the_share_is_kept():
    groups = np.array([f"person {i % 5000}" for i in range(20_000)])
    out = kept_out(groups, 0.2)
    assert (out == one_by_one(groups, 0.2)).all() and out[:5000].mean() == pytest.approx(0.2, abs=0.02)
    assert (kept_out(groups[77:99], 0.2) == out[77:99]).all()
    assert (out <= kept_out(groups, 0.3)).all() and not kept_out(groups, 0).any()


def test_the_generator_is_what_it_is_without_these_people(held, seen_alone, tmp_path):
    train_gan(tiny_training(seen_alone, tmp_path / "run"))
    alone = Run.open(tmp_path / "run").generator().get_weights()
    assert all((a == b).all() for a, b in zip(held.generator().get_weights(), alone, strict=True))


def test_a_part_of_a_dataset_is_its_faces_and_says_which_record_is_wrong(toys, tmp_path):
    shutil.copytree(toys, tmp_path / "faces")
    whole = FaceDataset(tmp_path / "faces")
    assert len(whole.landmarks) == 48
    part = whole.part(np.array([5, 3, 40]))
    assert len(part) == 3 and part.digest == whole.digest
    assert (part.images([0, 2]) == whole.images([5, 40])).all()
    assert (part.landmarks == whole.landmarks[[5, 3, 40]]).all() and (part.groups == whole.groups[[5, 3, 40]]).all()
    content = whole.shards[0].read_bytes()
    place = content.index(b"\x89PNG", whole._where[40, 2]) + 16  # the width of the picture in record 40
    whole.shards[0].write_bytes(content[:place] + b"\xff" + content[place + 1 :])
    with pytest.raises(LmedgeError, match="record 40 does not have its checksum"):
        FaceDataset(tmp_path / "faces").part(np.array([40])).images([0])


def test_l_gen_is_measured_on_them_and_learns_from_none(held, toys):
    groups = FaceDataset(toys).groups
    training, validation, last = split_of(held, groups, 0.1, 0)
    assert (last == np.flatnonzero(one_by_one(groups, SHARE))).all()
    assert len(validation) and not set(training) & set(validation)
    assert sorted([*training, *validation, *last]) == list(range(48))


def test_distances_are_to_their_faces_and_the_nearest_face_is_one_that_was_learnt(held, toys):
    dataset = FaceDataset(toys)
    out = unseen(held, dataset.groups)
    assert 4 <= out.sum() < 24 and (out == one_by_one(dataset.groups, SHARE)).all()
    found = realism(dataset.images(np.flatnonzero(out)), dataset, filters(), 0, out)
    assert found.unseen and found.count == out.sum() // 2
    learnt = dataset.images(np.flatnonzero(~out)).reshape(-1, 32 * 32 * 3)
    for face in found.neighbour_faces:
        either = face.reshape(1, -1) == learnt, face[:, ::-1].reshape(1, -1) == learnt
        assert any(each.all(axis=1).any() for each in either)
    assert found.neighbours.distance.min() > 0  # these people are not in it
    line = next(line for line in held.journal() if "frechet_real" in line)
    assert np.isfinite(line["frechet"]) and line["frechet_real"] > 0


def test_too_small_a_rest_and_another_share_are_refused(held, toys, tmp_path):
    with pytest.raises(UsageError, match=r"--held-out 0.001 leaves 0 faces of .* held out, fewer than 4"):
        train_gan(tiny_training(toys, tmp_path / "run", held_out=0.001))
    with pytest.raises(UsageError, match=r"--held-out is 0.0 and .* was trained with 0.3"):
        train_gan(tiny_training(toys, held.path, steps=9))
    # A run of before there was the option has seen everybody.
    old = Run(shutil.copytree(held.path, tmp_path / "old"))
    config = old.config()
    del config["stages"]["train-gan"]["held_out"]
    old.config_file.write_text(json.dumps(config))
    assert not unseen(old, FaceDataset(toys).groups).any()
    with pytest.raises(UsageError, match=r"--held-out is 0.3 and .* was trained with"):
        train_gan(tiny_training(toys, old.path, held_out=SHARE, steps=9))
