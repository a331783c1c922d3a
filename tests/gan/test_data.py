import shutil
from itertools import islice

import numpy as np
import pytest

from lmedge.errors import LmedgeError
from lmedge.faces.records import FaceDataset
from lmedge.gan import data
from lmedge.gan.data import batches, face_batches


def test_an_epoch_is_a_permutation_and_any_step_can_be_reached_directly():
    walked = list(islice(batches(10, 4, 7, 0), 10))
    everything = np.concatenate(walked)
    for epoch in range(4):
        assert sorted(everything[epoch * 10 : epoch * 10 + 10]) == list(range(10))
    assert not (everything[:10] == everything[10:20]).all()
    for start in (1, 3, 6):
        assert (next(batches(10, 4, 7, start)) == walked[start]).all()
    assert not (next(batches(10, 4, 8, 0)) == walked[0]).all()


@pytest.mark.parametrize("free", [0, 1 << 40], ids=["streamed", "from memory"])
def test_batches_are_the_faces_of_their_indices_wherever_they_are_kept(toys, monkeypatch, free):
    monkeypatch.setattr(data, "_free_memory", lambda: free)
    dataset = FaceDataset(toys)
    seen = [batch.numpy() for batch in face_batches(dataset, 20, 3, 2).take(4)]
    for indices, faces in zip(batches(48, 20, 3, 2), seen, strict=False):
        assert (faces == dataset.images(indices)).all() and faces.dtype == np.uint8


def test_landmarks_come_with_their_faces(toys):
    dataset = FaceDataset(toys)
    data = face_batches(dataset, 20, 3, 2, landmarks=True).take(4)
    for indices, (faces, landmarks) in zip(batches(48, 20, 3, 2), data, strict=False):
        assert (faces.numpy() == dataset.images(indices)).all()
        assert (landmarks.numpy() == dataset.landmarks[indices]).all()


@pytest.mark.parametrize("free", [0, 1 << 40], ids=["streamed", "from memory"])
def test_the_parts_of_all_replicas_are_the_whole_batch(toys, monkeypatch, free):
    monkeypatch.setattr(data, "_free_memory", lambda: free)
    dataset = FaceDataset(toys)
    whole = [batch.numpy() for batch in face_batches(dataset, 12, 0, 0).take(2)]
    first = [part.numpy() for part in face_batches(dataset, 12, 0, 0, 4, range(2)).take(4)]
    second = [part.numpy() for part in face_batches(dataset, 12, 0, 0, 4, range(2, 4)).take(4)]
    for step in range(2):
        parts = [*first[2 * step : 2 * step + 2], *second[2 * step : 2 * step + 2]]
        assert (np.concatenate(parts) == whole[step]).all()


@pytest.mark.parametrize("free", [0, 1 << 40], ids=["streamed", "from memory"])
def test_a_damaged_shard_ends_a_training_before_it_begins(toys, tmp_path, monkeypatch, free):
    monkeypatch.setattr(data, "_free_memory", lambda: free)
    copy = shutil.copytree(toys, tmp_path / "copy")
    shard = next(copy.glob("*.tfrecord"))
    damaged = bytearray(shard.read_bytes())
    damaged[-100] ^= 1
    shard.write_bytes(damaged)
    with pytest.raises(LmedgeError, match=f"{shard} is damaged: record 47"):
        face_batches(FaceDataset(copy), 20, 3, 2)
