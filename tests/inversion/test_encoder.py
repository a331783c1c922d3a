import shutil

import numpy as np
import pytest

from lmedge.errors import LmedgeError
from lmedge.faces.records import FaceDataset
from lmedge.inversion.encoder import build_encoder, cached_encoder, encoder_of, train_encoder
from lmedge.inversion.search import Search
from lmedge.latent import LatentSpec
from lmedge.run import Run
from tests.inversion import SPEC, linear_generator, uniform

ONES = np.ones((8, 8), np.float32)


class Faces:
    """Faces of 8 pixels of which the generator can draw the half."""

    size = 8

    def __init__(self, generator):
        drawn = np.asarray(generator(0.8 * uniform(256, 3))) * 0.5
        noise = np.random.default_rng(4).normal(0, 0.2, drawn.shape)
        self.faces = np.clip((drawn + noise) * 127.5 + 128, 0, 255).astype(np.uint8)

    def __len__(self):
        return len(self.faces)

    def images(self, indices):
        return self.faces[indices]


def test_it_learns_the_latents_of_drawn_faces_and_the_pictures_of_real_ones():
    generator = linear_generator()
    faces = Faces(generator)
    encoder = train_encoder(generator, SPEC, faces, ONES, 300, "float32", 0)
    z = uniform(64, 9)
    assert np.abs(np.asarray(encoder(generator(z))) - z).mean() < 0.15  # 0.5 for z = 0
    real = faces.images(np.arange(64)) / np.float32(127.5) - 1
    guess = np.asarray(encoder(real))
    best = np.clip(real.reshape(64, -1) @ np.linalg.pinv(generator.get_weights()[0]), -1, 1)

    def error(z):
        return np.square(np.asarray(generator(z.astype(np.float32))) - real).mean()

    assert error(guess) - error(best) < 0.25 * (error(0 * guess) - error(best))
    assert np.abs(guess).max() <= 1


def test_the_same_seed_gives_the_same_encoder():
    generator = linear_generator()
    faces = Faces(generator)
    first, second, other = (train_encoder(generator, SPEC, faces, ONES, 3, "float32", seed) for seed in (0, 0, 1))
    same = [(a == b).all() for a, b in zip(first.get_weights(), second.get_weights(), strict=True)]
    assert all(same) and not (first.get_weights()[0] == other.get_weights()[0]).all()


def test_every_size_ends_in_four_by_four():
    for size in (16, 32, 64, 128, 256):
        encoder = build_encoder(size, LatentSpec.uniform(8))
        assert encoder.get_layer("flat").input.shape[1:3] == (4, 4) and encoder.output_shape == (None, 8)


def test_the_run_keeps_it_until_the_generator_changes(trained, toys, tmp_path):
    run = Run(shutil.copytree(trained, tmp_path / "run"))
    dataset, generator, weights = FaceDataset(toys), run.generator(), np.ones((32, 32), np.float32)
    before = run.encoder_file.read_bytes()
    kept = encoder_of(run, generator, dataset, weights, Search(encoder_steps=3))
    assert run.encoder_file.read_bytes() == before
    for a, b in zip(kept.get_weights(), run.encoder().get_weights(), strict=True):
        assert (a == b).all()
    encoder_of(run, generator, dataset, weights, Search(encoder_steps=4))
    assert run.encoder_file.read_bytes() != before
    generator.set_weights([2 * weight for weight in generator.get_weights()])
    assert cached_encoder(run, generator) is None


def test_a_generator_that_is_not_finite_is_refused():
    generator = linear_generator()
    generator.set_weights([np.full((6, 192), np.nan, np.float32)])
    faces = Faces(linear_generator())
    with pytest.raises(LmedgeError, match=r"loss is nan at step 1; .* or take --start centre"):
        train_encoder(generator, SPEC, faces, ONES, 5, "float32", 0)
