from types import SimpleNamespace

import numpy as np
import pytest

from lmedge.errors import UsageError
from lmedge.judging import identity
from lmedge.judging.identity import train_identity


def people(persons, faces, seed=0):
    """A dataset of persons that differ in the colours of two halves, in pictures with a lot of noise."""
    random = np.random.default_rng(seed)
    colours = random.integers(40, 215, (persons, 2, 1, 1, 3))
    halves = np.repeat(colours, faces, axis=0) + random.normal(0, 25, (persons * faces, 2, 8, 16, 3))
    images = np.clip(halves.reshape(-1, 16, 16, 3), 0, 255).astype(np.uint8)
    groups = np.repeat([f"person {i}" for i in range(persons)], faces)
    return SimpleNamespace(size=16, groups=groups, images=lambda indices: images[indices])


def test_persons_that_were_never_seen_are_told_apart(monkeypatch):
    monkeypatch.setattr(identity, "PAIRS", 400)
    dataset = people(60, 8)
    network, verified = train_identity(dataset, 6, 0)
    assert verified.persons == 6 and verified.pairs == 400
    assert verified.area > 0.97 and verified.accuracy > 0.9
    assert verified.same[90] < verified.threshold < verified.other[10]
    features = np.asarray(network(dataset.images(np.arange(4)).astype(np.float32) / 127.5 - 1))
    assert np.linalg.norm(features, axis=1) == pytest.approx(np.full(4, 128**0.5), rel=1e-4)


def test_a_dataset_of_single_faces_knows_no_people():
    with pytest.raises(UsageError, match=r"0 of 40 persons have 4 faces or more.*--groups"):
        train_identity(people(40, 1), 1, 0)
