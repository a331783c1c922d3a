import numpy as np
import pytest

from lmedge.datasets.augment import Augmentation
from lmedge.detector.diet import Diet, LabelledFaces
from lmedge.detector.network import BATCH, build_detector, detect, fit
from lmedge.errors import LmedgeError
from lmedge.faces.records import FaceDataset
from lmedge.landmarks import nme
from lmedge.scheme import IBUG49


@pytest.fixture(scope="module")
def drawn(toys):
    dataset = FaceDataset(toys)
    return LabelledFaces(dataset.images(np.arange(48)), dataset.landmarks, dataset.scheme)


def painted(level, count=10):
    """Faces of one grey level, which tell where a face of a batch came from."""
    marks = np.random.default_rng(level).uniform(4, 28, (count, 49, 2)).astype(np.float32)
    return LabelledFaces(np.full((count, 32, 32, 3), level, np.uint8), marks, IBUG49)


def test_batches_mix_as_the_share_says():
    batches = list(Diet(painted(10), painted(200), 0.25, None).batches(100, 32, 3))
    levels = np.concatenate([batch.images[:, 0, 0, 0] for batch in batches])
    assert set(levels) == {10, 200} and (levels == 200).mean() == pytest.approx(0.25, abs=0.03)
    assert {tuple(marks[0]) for batch in batches for marks in batch.landmarks} == {
        tuple(marks[0]) for faces in (painted(10), painted(200)) for marks in faces.landmarks
    }
    for real, synthetic, level in ((painted(10), None, 10), (None, painted(200), 200)):
        (batch,) = Diet(real, synthetic, 0.5, None).batches(1, 32, 3)
        assert len(batch) == 32 and set(batch.images[:, 0, 0, 0]) == {level}


def test_augmented_batches_change_and_repeat(drawn):
    diet = Diet(drawn, None, 0.5, Augmentation())
    first, again = list(diet.batches(2, 8, 1)), list(diet.batches(2, 8, 1))
    assert all(
        (a.images == b.images).all() and (a.landmarks == b.landmarks).all() for a, b in zip(first, again, strict=True)
    )
    known = {image.tobytes() for image in drawn.images}
    assert not known & {image.tobytes() for batch in first for image in batch.images}


def test_it_learns_to_find_landmarks(drawn):
    told = []
    network = fit(Diet(drawn[np.arange(40)], None, 0.5, None), 150, 0, lambda n, note: told.append((n, note)))
    points = detect(network, drawn.images)
    errors = nme(points, drawn.landmarks, IBUG49)
    mean = nme(np.broadcast_to(drawn.landmarks[:40].mean(axis=0), drawn.landmarks.shape), drawn.landmarks, IBUG49)
    assert errors[:40].mean() < 0.6 * mean[:40].mean()
    assert sum(count for count, _ in told) == 150 and "loss" in told[-1][1]
    assert points.shape == (48, 49, 2) and network.output_shape == (None, 49, 2)


def test_the_same_seed_gives_the_same_detector(drawn):
    diet = Diet(drawn, None, 0.5, Augmentation())
    same, again, other = (detect(fit(diet, 4, seed, lambda *_: None), drawn.images[:4]) for seed in (1, 1, 2))
    assert same == pytest.approx(again, abs=1e-4) and not np.allclose(same, other, atol=1e-2)


def test_a_loss_that_is_not_finite_ends_it(drawn):
    with pytest.raises(LmedgeError, match="not finite at step 3"):
        fit(Diet(drawn, None, 0.5, None), 3, 0, lambda *_: None, learning_rate=float("inf"))


@pytest.mark.parametrize(("size", "points"), [(32, 49), (64, 68), (128, 49)])
def test_shapes(size, points):
    network = build_detector(size, points)
    assert network(np.zeros((2, size, size, 3), np.float32)).shape == (2, points, 2)
    assert BATCH == 32 and network.count_params() < (1.1e6 if size == 128 else 0.42e6)
