import numpy as np
import pytest
import tensorflow as tf

from lmedge.datasets.augment import Augmentation, augment, augmented
from lmedge.errors import UsageError
from lmedge.landmarks import mirrored
from lmedge.scheme import IBUG49, IBUG68

NOTHING = Augmentation(0, 0, 0, 0, 0, 0, 0)
MOVED = {"rotation": 40.0, "scale": 0.3, "translation": 0.1, "flip": 1.0}


def faces(count, number=0, size=64, scheme=IBUG49):
    random = np.random.default_rng(number)
    images = random.integers(0, 256, (count, size, size, 3)).astype(np.uint8)
    return images, random.uniform(0.25 * size, 0.75 * size, (count, scheme.count, 2)).astype(np.float32)


def dotted(points, size=64):
    """A dark picture `[size, size, 3]` with a soft dot at one point."""
    y, x = np.mgrid[:size, :size]
    dot = np.exp(-((x - points[0]) ** 2 + (y - points[1]) ** 2) / (2 * 2.0**2))
    return np.repeat((250 * dot)[..., None], 3, axis=-1).round().astype(np.uint8)


@pytest.mark.parametrize("option", [*MOVED, "all"])
def test_a_point_on_a_dot_stays_on_the_dot(option):
    how = Augmentation(**{**vars(NOTHING), **(MOVED if option == "all" else {option: MOVED[option]})})
    _, landmarks = faces(30)
    for which in (0, 19, 30, 48):
        images = np.stack([dotted(points[which]) for points in landmarks])
        new, moved = augment(images, landmarks, IBUG49, how, seed=which)
        assert np.abs(moved - landmarks).max() > 1
        # In a mirror the dot belongs to the point of the other side.
        at = IBUG49.mirror.index(which) if how.flip else which
        y, x = np.mgrid[:64, :64]
        for image, points in zip(new[..., 0].astype(float), moved, strict=True):
            if (points[at] < 8).any() or (points[at] > 55).any():
                continue
            image = image * (np.hypot(x - points[at][0], y - points[at][1]) < 8)  # without reflections at the border
            centre = (image * x).sum() / image.sum(), (image * y).sum() / image.sum()
            assert points[at] == pytest.approx(centre, abs=0.15)


def test_nothing_changes_nothing_and_a_flip_is_the_mirror():
    images, landmarks = faces(4, scheme=IBUG68)
    new, moved = augment(images, landmarks, IBUG68, NOTHING, 0)
    assert (new == images).all() and (moved == landmarks).all() and not np.shares_memory(moved, landmarks)
    new, moved = augment(images, landmarks, IBUG68, Augmentation(1, 0, 0, 0, 0, 0, 0), 0)
    assert (new == images[:, :, ::-1]).all() and (moved == mirrored(landmarks, 64, IBUG68)).all()


def test_a_face_changes_as_its_number_says():
    images, landmarks = faces(10)
    whole = augment(images, landmarks, IBUG49, Augmentation(), 3)
    part = augment(images[4:7], landmarks[4:7], IBUG49, Augmentation(), 3, first=4)
    assert (part[0] == whole[0][4:7]).all() and (part[1] == whole[1][4:7]).all()
    other = augment(images, landmarks, IBUG49, Augmentation(), 4)
    assert not (other[1] == whole[1]).all()


def test_light_blur_and_occlusion_leave_the_points():
    images, landmarks = faces(40)
    images[:] = np.linspace(60, 190, 64).astype(np.uint8)[:, None]  # a slope
    images[:, 32:, 32:] = 30
    for how in (
        Augmentation(0, 0, 0, 0, 0.5, 0, 0),
        Augmentation(0, 0, 0, 0, 0, 1, 0),
        Augmentation(0, 0, 0, 0, 0, 0, 1),
    ):
        new, moved = augment(images, landmarks, IBUG49, how, 0)
        assert (moved == landmarks).all()
        changed = (new != images).any(axis=-1).mean(axis=(1, 2))
        if how.light:
            assert (changed > 0.5).mean() > 0.9 and new.mean(axis=(1, 2, 3)).std() > 5
        elif how.blur:
            edge = np.abs(np.diff(new[:, 48, :, 0].astype(int), axis=1)).max(axis=1)
            assert (edge < np.abs(np.diff(images[0, 48, :, 0].astype(int))).max()).all()
        else:
            assert changed.min() > 0.1**2 * 0.8 and changed.max() < 0.4**2 * 1.1


def test_the_shares_are_kept():
    images, landmarks = faces(400, size=16)
    new, _ = augment(images, landmarks, IBUG49, Augmentation(0.5, 0, 0, 0, 0, 0, 0), 1)
    assert (new == images[:, :, ::-1]).all(axis=(1, 2, 3)).mean() == pytest.approx(0.5, abs=0.08)
    new, _ = augment(images, landmarks, IBUG49, Augmentation(0, 0, 0, 0, 0, 0, 0.3), 1)
    assert (new != images).any(axis=(1, 2, 3)).mean() == pytest.approx(0.3, abs=0.08)


def test_a_pipeline_gives_the_same_and_changes_from_epoch_to_epoch():
    images, landmarks = faces(5)
    data = tf.data.Dataset.from_tensor_slices((images, landmarks)).repeat(2)
    pairs = list(augmented(data, IBUG49, Augmentation(), 7).as_numpy_iterator())
    twice = augment(np.concatenate([images] * 2), np.concatenate([landmarks] * 2), IBUG49, Augmentation(), 7)
    for (image, points), wanted, where in zip(pairs, *twice, strict=True):
        assert (image == wanted).all() and (points == where).all()
    assert not (pairs[0][1] == pairs[5][1]).all()
    batch = next(iter(augmented(data, IBUG49, Augmentation(), 7).batch(4)))
    assert batch[0].shape == (4, 64, 64, 3) and batch[1].shape == (4, 49, 2)


def test_what_does_not_fit_is_refused():
    images, landmarks = faces(2)
    with pytest.raises(UsageError, match=r"landmarks \(2, 49, 2\) are not \[N, H, W, 3\] and \[N, 68, 2\]"):
        augment(images, landmarks, IBUG68, NOTHING, 0)
    with pytest.raises(UsageError, match="flip must be between 0 and 1, not 2"):
        Augmentation(flip=2)
    empty = augment(images[:0], landmarks[:0], IBUG49, Augmentation(), 0)
    assert empty[0].shape == (0, 64, 64, 3) and empty[1].shape == (0, 49, 2)
