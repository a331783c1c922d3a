"""Faces of `sample` and `synthesize` that are asked for by attributes, of a model that does what it is told."""

import keras
import numpy as np
import pytest
from PIL import Image

from lmedge.block import Block
from lmedge.datasets.options import SynthesizeConfig
from lmedge.datasets.synthesize import synthesize
from lmedge.errors import UsageError
from lmedge.latent import LatentSpec
from lmedge.mixture import Mixture
from lmedge.runtime import FaceSampler
from lmedge.runtime.directions import measured
from lmedge.runtime.gallery import sample
from lmedge.runtime.options import SampleConfig
from lmedge.scheme import IBUG49
from tests.at_its_word import SHAPE, SIZE, SPACE, networks

NAMES = ("Lit", "Big Hat")
COVARIANCE = np.diag([0.04] * SHAPE + [0.25, 0.1])
COVARIANCE[0, SHAPE] = COVARIANCE[SHAPE, 0] = 0.06  # who is lit looks to a side
FACTOR = np.linalg.cholesky(COVARIANCE)[np.tril_indices(SHAPE + 2)]
LATENT = LatentSpec((
    Block("person", 8),
    Block("shape", SHAPE, "mixture", mixture=Mixture((1.0,), ((0.0,) * (SHAPE + 2),), (tuple(FACTOR),)), shapes=SPACE),
    Block("attributes", 2, "joint", attributes=NAMES),
))  # fmt: skip


@pytest.fixture(scope="module")
def lit(tmp_path_factory):
    """A bundle whose faces are as light as `Lit` says."""
    from convert import export

    z = keras.Input((LATENT.size,))
    image = keras.layers.Dense(3 * SIZE * SIZE, kernel_initializer="zeros")
    generator = keras.Model(z, keras.layers.Reshape((SIZE, SIZE, 3))(image(z)))
    kernel = np.zeros((LATENT.size, 3 * SIZE * SIZE), np.float32)
    kernel[-2] = 0.8
    image.set_weights([kernel, image.get_weights()[1]])
    known = networks()[1]
    dense = keras.layers.Dense(2 * IBUG49.count)
    lgen = keras.Model(z, keras.layers.Reshape((IBUG49.count, 2))(dense(z)))
    kernel, bias = known.get_weights()
    dense.set_weights([np.concatenate([kernel, np.zeros((2, kernel.shape[1]), np.float32)]), bias])
    how = {"scheme": IBUG49, "latent": LATENT, "calibration": 8}
    out = tmp_path_factory.mktemp("lit") / "bundle"
    export(generator, lgen, ("fp32",), out=out, **how)
    return out


def light(file):
    with Image.open(file) as picture:
        return float(np.asarray(picture).mean()) / 127.5 - 1


def drawn(bundle, out, *wishes):
    sample(SampleConfig(bundle=bundle, out=out, count=6, seed=5, set=wishes or None))
    with np.load(out / "latents.npz") as file:
        return dict(file)


def test_samples_have_what_was_asked_for_and_are_the_same_people(lit, tmp_path):
    usual = drawn(lit, tmp_path / "usual")
    assert (usual["attributes"] == LATENT.split(LATENT.draw(6, 5))["attributes"]).all()
    for value in (-1, 0.5, 1):
        out = tmp_path / str(value)
        found = drawn(lit, out, f"Lit={value}")
        assert (found["attributes"][:, 0] == np.float32(value)).all() and np.ptp(found["attributes"][:, 1]) > 0.1
        assert (found["person"] == usual["person"]).all()
        assert [light(out / f"face-{i:05}.png") for i in range(6)] == pytest.approx([0.8 * value] * 6, abs=0.01)


def test_sets_have_what_was_asked_for_whoever_draws_them(lit, tmp_path):
    for out, more in (("here", {}), ("mirrored", {"mirror": True}), ("workers", {"workers": 2})):
        config = {"source": lit, "out": tmp_path / out, "count": 8, "set": ("Lit=-0.5", "Big Hat=1"), **more}
        synthesize(SynthesizeConfig(**config))
        pictures = sorted((tmp_path / out).glob("*.png"))
        assert len(pictures) == 8 and {round(light(file), 2) for file in pictures} == {-0.4}
        assert "Lit=-0.5 Big Hat=1" in (tmp_path / out / "README.md").read_text()


def test_a_slider_moves_an_attribute_and_the_landmarks_that_go_with_it(lit):
    sampler = FaceSampler(lit, threads=1)
    sliders = {control.name: control for control in measured(sampler)}
    move = LATENT.split(sliders["Lit"].direction)
    assert move["attributes"].tolist() == [1, 0] and (move["person"] == 0).all()
    assert move["shape"] == pytest.approx([0.06 / 0.25] + [0] * (SHAPE - 1), abs=0.03)  # the slope of a regression
    assert sliders["Big Hat"].direction[-2:].tolist() == [0, 1] and sliders["Lit"].low == -2


def test_what_cannot_be_asked_for_is_refused_before_anything_is_drawn(lit, asked_bundle, tmp_path):
    for bundle, wish, sentence in (
        (lit, "Hat=1", "--set Hat: faces of .* cannot be asked for that; did you mean Big Hat"),
        (lit, "Lit=3", "--set 'Lit=3': say NAME=VALUE"),
        (asked_bundle, "Lit=1", "cannot be asked for by attributes"),
    ):
        for draw in (
            lambda: sample(SampleConfig(bundle=bundle, out=tmp_path / "out", set=(wish,))),  # noqa: B023
            lambda: synthesize(SynthesizeConfig(source=bundle, out=tmp_path / "out", set=(wish,))),  # noqa: B023
        ):
            with pytest.raises(UsageError, match=sentence):
                draw()
    assert not (tmp_path / "out").exists()
