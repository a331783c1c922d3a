from itertools import islice
from threading import Thread

import numpy as np
import pytest
from PIL import Image

from lmedge.errors import UsageError
from lmedge.runtime import FacePool, FaceSampler, prior


@pytest.fixture(scope="module")
def sampler(bundle):
    return FaceSampler(bundle, "fp32", threads=1)


@pytest.fixture(scope="module")
def pool(bundle):
    with FacePool(bundle, "fp32", workers=3) as made:
        yield made


def same(one, other):
    return all((values == other.arrays()[name]).all() for name, values in one.arrays().items())


def test_an_endless_stream_is_the_same_faces_in_chunks(sampler):
    parts = list(islice(sampler.stream(seed=4, chunk=3), 4))
    assert [len(part) for part in parts] == [3] * 4
    assert (np.concatenate([p.images for p in parts]) == sampler.sample(12, 4).images).all()


def test_near_stays_within_the_radius_and_the_cube(sampler):
    z = prior(1, 8, 3)[0]
    near = sampler.near(z, 40, 0.3, seed=5)
    assert near.latents == pytest.approx(np.clip(z + 0.3 * prior(40, 8, 5), -1, 1), abs=1e-6)
    moved = np.abs(near.latents - z).max(axis=0)
    assert (moved <= 0.3 + 1e-6).all() and np.abs(near.latents).max() <= 1 and moved.max() > 0.25
    face = sampler.render(z[None])
    assert (sampler.near(z, 2, 0).images == face.images).all()
    far = np.abs(sampler.near(z, 40, 2).images.astype(float) - face.images).mean()
    assert np.abs(near.images.astype(float) - face.images).mean() < far


def test_between_ends_where_it_should(sampler):
    a, b = prior(2, 8, 7)
    line = sampler.between(a, b, 5)
    assert (line.images[[0, -1]] == sampler.render(np.stack([a, b])).images).all()
    assert line.latents[2] == pytest.approx((a + b) / 2, abs=1e-6)


def test_landmarks_of_another_size_lie_on_the_same_place_of_the_picture(sampler):
    """A dot drawn at a landmark of the enlarged picture is found at the landmark of the face when it is shrunk."""
    faces = sampler.sample(1, 1)
    assert faces.landmarks_at(32, 32) == pytest.approx(faces.landmarks, abs=1e-4)
    large = faces.landmarks_at(320, 640)
    assert large == pytest.approx((faces.landmarks + 0.5) * (10, 20) - 0.5, abs=1e-3)
    x, y = large[0, 20]
    canvas = np.zeros((640, 320), np.float32)
    canvas[round(float(y)) - 10 : round(float(y)) + 11, round(float(x)) - 5 : round(float(x)) + 6] = 1
    small = np.asarray(Image.fromarray(canvas).resize((32, 32), Image.Resampling.BOX))
    rows, columns = np.mgrid[:32, :32]
    centre = (columns * small).sum() / small.sum(), (rows * small).sum() / small.sum()
    assert centre == pytest.approx(tuple(faces.landmarks[0, 20]), abs=0.06)
    with pytest.raises(UsageError, match="0 x 10 pixels"):
        faces.landmarks_at(0, 10)


@pytest.mark.parametrize("shape", [(9,), (1, 8), ()])
def test_a_latent_of_another_length_is_refused(sampler, shape):
    with pytest.raises(UsageError, match=r"a latent of shape .* is not \[8\], as this model takes"):
        sampler.near(np.zeros(shape), 2)
    with pytest.raises(UsageError, match="as this model takes"):
        sampler.between(np.zeros(8), np.zeros(shape), 2)


def test_a_wrong_radius_is_refused(sampler):
    with pytest.raises(UsageError, match="a radius of -1"):
        sampler.near(np.zeros(8), 2, -1)


def test_a_pool_draws_what_a_sampler_draws(pool, sampler):
    assert same(pool.sample(37, 2), sampler.sample(37, 2))
    assert same(pool.near(np.zeros(8), 9), sampler.near(np.zeros(8), 9))
    assert len(pool.sample(0)) == 0 and pool.sample(0).landmarks.shape == (0, 49, 2)
    with pytest.raises(UsageError, match=r"latents of shape \(2, 9\)"):
        pool.render(np.zeros((2, 9)))


def test_threads_may_share_a_pool(pool, sampler):
    """More callers than interpreters, for as long as it takes to collide."""
    wanted = {seed: sampler.sample(30, seed) for seed in range(6)}
    good = []

    def call(seed):
        good.extend(same(pool.sample(30, seed), wanted[seed]) for _ in range(5))

    threads = [Thread(target=call, args=(seed,)) for seed in wanted]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert good == [True] * 30


def test_a_pool_survives_a_wrong_call(bundle):
    with FacePool(bundle, "fp32", workers=1) as pool:
        for _ in range(3):
            with pytest.raises(UsageError):
                pool.render(np.zeros((2, 9)))
        assert len(pool.sample(2)) == 2
    for workers in (-1, 500):
        with pytest.raises(UsageError, match=rf"workers must be between 0 and \d+ \(4 a core\), not {workers}\."):
            FacePool(bundle, workers=workers)
