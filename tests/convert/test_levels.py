"""Where an image gets its levels, and what that is worth in int8."""

import keras
import numpy as np
import pytest

from convert.fold import fold_upsampling
from convert.levels import in_levels
from convert.model import Conversion
from convert.ranges import ranges_of
from convert.recipe import Rewrites, Tuning
from convert.scales import without_scales
from lmedge.gan.families.relativistic.networks import build_generator
from lmedge.keras_model import Generator, KerasFaceModel
from lmedge.latent import LatentSpec, uniform
from lmedge.lgen.network import build_lgen
from lmedge.scheme import IBUG49
from tests.convert import joining_generator

SPEC = LatentSpec.uniform(6)


@pytest.fixture(scope="module")
def generator():
    keras.utils.set_random_seed(2)
    return without_scales(build_generator(16, 8, SPEC))


def bent():
    z = keras.Input((6,))
    x = keras.layers.Reshape((4, 4, 3))(keras.layers.Dense(48)(z))
    return keras.Model(z, keras.layers.Conv2D(3, 3, padding="same", activation="tanh")(x))


def forked():
    """The last convolution is read twice: by what becomes the image, and by what is added to it."""
    z = keras.Input((6,))
    x = keras.layers.Conv2D(3, 3)(keras.layers.Reshape((4, 4, 3))(keras.layers.Dense(48)(z)))
    return keras.Model(z, keras.layers.Add()([keras.layers.Reshape((2, 2, 3))(x), x]))


@pytest.mark.parametrize("form", ["phases", "transposed", "none"])
@pytest.mark.parametrize(("build", "more"), [(None, 0), (lambda: joining_generator(16, 4, 6), 0), (bent, 1),
                                             (forked, 1)])  # fmt: skip
def test_levels_are_the_image_and_cost_a_layer_only_where_they_must(generator, form, build, more):
    network = fold_upsampling(generator if build is None else build(), form)
    z = uniform(5, 6, 1)
    before = np.asarray(network(z))
    levels = in_levels(network)
    assert np.asarray(levels(z)) == pytest.approx(before * 127.5 + 127.5, abs=1e-2)
    assert len(levels.layers) == len(network.layers) + more
    assert (np.asarray(network(z)) == before).all()


def test_ranges_are_what_each_layer_gives(generator):
    """The converter's own calibration says of what is added what the sum is; the image is rounded once."""
    model = KerasFaceModel(Generator(generator), build_lgen(6, 49, (4,)), scheme=IBUG49)
    z = uniform(32, 6, 0)
    made = Conversion(model, model.render(z), Rewrites(fit_ranges=False), Tuning(), lambda text: None)
    static, calibrated = made.static()
    ranges = ranges_of(calibrated, network := static.generator)
    assert ranges.pop("rgb") == [(0.0, 255.0)]
    computing = {name: each for name, each in ranges.items() if each}
    values = keras.Model(network.input, {name: network.get_layer(name).output for name in computing})(z)
    for name, ends in computing.items():
        wanted = min(0.0, float(np.min(values[name]))), max(0.0, float(np.max(values[name])))
        assert ends[-1] == pytest.approx(wanted, abs=1e-4), name
        assert len(set(ends)) == 1, name  # ReLU is a part of its convolution
    assert {"dense", "dense_8", "conv_8", "scaled_8", "more_8", "sum_8"} == set(computing)
