import io
import re
import sys
from itertools import islice
from threading import Thread
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image, ImageShow

from lmedge.errors import LmedgeError, UsageError
from lmedge.latent import uniform
from lmedge.runtime import FacePool, FaceSampler


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
    z = uniform(1, 8, 3)[0]
    near = sampler.near(z, 40, 0.3, seed=5)
    assert near.latents == pytest.approx(np.clip(z + 0.3 * uniform(40, 8, 5), -1, 1), abs=1e-6)
    moved = np.abs(near.latents - z).max(axis=0)
    assert (moved <= 0.3 + 1e-6).all() and np.abs(near.latents).max() <= 1 and moved.max() > 0.25
    face = sampler.render(z[None])
    assert (sampler.near(z, 2, 0).images == face.images).all()
    far = np.abs(sampler.near(z, 40, 2).images.astype(float) - face.images).mean()
    assert np.abs(near.images.astype(float) - face.images).mean() < far


def test_between_ends_where_it_should(sampler):
    a, b = uniform(2, 8, 7)
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
    with pytest.raises(UsageError, match="width must be at least 1, not 0"):
        faces.landmarks_at(0, 10)


@pytest.mark.parametrize("shape", [(9,), (1, 8), ()])
def test_a_latent_of_another_length_is_refused(sampler, shape):
    with pytest.raises(UsageError, match=r"a latent of shape .* is not \[8\], as this model takes"):
        sampler.near(np.zeros(shape), 2)
    with pytest.raises(UsageError, match="as this model takes"):
        sampler.between(np.zeros(8), np.zeros(shape), 2)


Z = np.zeros(8)


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (lambda d: d.sample(-1), "count must be between 0 and 1000000 .take `stream` for more., not -1"),
        (lambda d: d.sample(10**9), "count must be between 0 and 1000000 .*, not 1000000000"),
        (lambda d: d.sample(2.5), "count must be a whole number, not 2.5"),
        (lambda d: d.sample("3"), "count must be a whole number, not '3'"),
        (lambda d: d.sample(1, -1), "seed must be between 0 and 18446744073709551615, not -1"),
        (lambda d: d.sample(1, 2**64), "seed must be between 0 and .*, not 18446744073709551616"),
        (lambda d: d.sample(1, 0, -1), "first must be between 0 and .*, not -1"),
        (lambda d: d.sample(1, 0, 2**64), "first must be between 0 and .*, not 18446744073709551616"),
        (lambda d: d.stream(-1), "count must be at least 0, not -1"),
        (lambda d: d.stream(seed=-1), "seed must be between 0"),
        (lambda d: d.stream(chunk=0), "chunk must be between 1 and 1000000, not 0"),
        (lambda d: d.near(Z, -1), "count must be between 0 and 1000000, not -1"),
        (lambda d: d.near(Z, 2, -1), "radius must be between 0 and 2, not -1"),
        (lambda d: d.near(Z, 2, float("nan")), "radius must be between 0 and 2, not nan"),
        (lambda d: d.near(Z, 2, float("inf")), "radius must be between 0 and 2, not inf"),
        (lambda d: d.near(Z + np.nan, 2), "the latents hold values that are not finite"),
        (lambda d: d.near("face", 2), "latents are arrays of numbers, not str"),
        (lambda d: d.between(Z, Z, 1), "steps must be between 2 and 1000000, not 1"),
        (lambda d: d.between(Z, Z, -5), "steps must be between 2 and 1000000, not -5"),
        (lambda d: d.interpolate(-1, 2, 3), "seed must be between 0"),
        (lambda d: d.render(Z[None] + np.inf), "the latents hold values that are not finite"),
        (lambda d: d.render(None), "the latents hold values that are not finite"),
    ],
)
@pytest.mark.parametrize("kind", ["sampler", "pool"])
def test_nonsense_is_refused_by_name_at_once(request, kind, call, reason):
    with pytest.raises(UsageError, match=rf"^{reason}[^.]*\.$"):
        call(request.getfixturevalue(kind))


def test_the_largest_seed_is_one_of_its_own(sampler):
    assert (sampler.sample(1, 2**64 - 1).latents != sampler.sample(1).latents).any()


def test_faces_print_in_a_line_and_show_as_a_sheet_with_landmarks(sampler):
    faces = sampler.sample(10)
    assert re.fullmatch(
        r"Faces\(10 of 32 x 32 pixels, 49 landmarks, latents of 8, confidence 0\.\d\d to [01]\.\d\d\)", repr(faces)
    )
    with Image.open(io.BytesIO(faces._repr_png_())) as picture:
        assert picture.size == (8 * 130 - 2, 2 * 130 - 2)
        shown = np.asarray(picture)
    x, y = np.rint((faces.landmarks[0, 20] + 0.5) * 4 - 0.5).astype(int)
    assert tuple(shown[y, x]) == (120, 255, 80)  # the colour of a point
    plain = np.asarray(Image.fromarray(faces.images[0]).resize((128, 128), Image.Resampling.BICUBIC))
    assert np.median(np.abs(shown[:128, :128].astype(int) - plain)) == 0
    one = faces[3]
    assert len(one) == 1 and (one.images[0] == faces.images[3]).all() and (faces[-1].images[0] == faces.images[9]).all()
    none = sampler.sample(0)
    assert repr(none) == "Faces(0 of 32 x 32 pixels, 49 landmarks, latents of 8)" and none._repr_png_() is None
    with pytest.raises(UsageError, match="no face to show"):
        none.picture()


def test_show_takes_the_viewer_that_is_there(sampler, monkeypatch):
    faces, shown = sampler.sample(2), []
    monkeypatch.setattr(ImageShow, "show", lambda picture, title: shown.append(picture.size) or True)
    faces.show()
    assert shown == [(258, 128)]
    notebook = SimpleNamespace(get_ipython=lambda: 1, display=SimpleNamespace(display=shown.append))
    monkeypatch.setitem(sys.modules, "IPython", notebook)
    faces.show()
    assert shown[1] is faces
    monkeypatch.delitem(sys.modules, "IPython")
    monkeypatch.setattr(ImageShow, "show", lambda picture, title: False)
    with pytest.raises(LmedgeError, match=r"save faces.picture\(\)"):
        faces.show()


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
