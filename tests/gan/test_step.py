import numpy as np
import tensorflow as tf

from lmedge.gan.gan import Batch
from lmedge.landmarks import mirrored
from lmedge.scheme import IBUG49
from tests.gan import tiny_step


def learnt_from(step, batch):
    """What the family sees of a batch."""
    seen = []

    def learn(batch, draws):
        seen.append(batch)
        return {}

    step.gan.learn = learn
    step.once(batch)
    return Batch(*(None if part is None else part.numpy() for part in seen[0]))


def test_mirroring_flips_about_half_of_the_faces_left_to_right():
    images = np.random.default_rng(0).integers(0, 256, (64, 16, 16, 3)).astype(np.uint8)
    seen = learnt_from(tiny_step(), tf.constant(images)).images
    real = images.astype(np.float32) / 127.5 - 1
    as_is = np.abs(seen - real).max(axis=(1, 2, 3)) < 1e-6
    flipped = np.abs(seen - real[:, :, ::-1]).max(axis=(1, 2, 3)) < 1e-6
    assert (as_is ^ flipped).all() and 16 < flipped.sum() < 48


def test_landmarks_are_mirrored_with_their_faces():
    scheme, random = IBUG49, np.random.default_rng(0)
    images = random.integers(0, 256, (64, 16, 16, 3)).astype(np.uint8)
    points = random.uniform(0, 15, (64, scheme.count, 2)).astype(np.float32)
    seen = learnt_from(tiny_step(swap=scheme.mirror), (tf.constant(images), tf.constant(points)))
    flipped = np.abs(seen.images - (images.astype(np.float32) / 127.5 - 1)).max(axis=(1, 2, 3)) > 1e-6
    assert 16 < flipped.sum() < 48
    for i in range(64):
        wanted = mirrored(points[i], 16, scheme) if flipped[i] else points[i]
        np.testing.assert_allclose(seen.landmarks[i], (wanted + 0.5) / 16, atol=1e-6)
