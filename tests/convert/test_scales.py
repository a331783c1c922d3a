"""Constant factors go into the weights before them."""

import keras
import numpy as np
import pytest

from convert.scales import without_scales
from lmedge.gan.families.relativistic.networks import build_generator
from lmedge.latent import LatentSpec, uniform

Z = uniform(16, 6, 0)


def kinds(network):
    return [type(layer).__name__ for layer in network.layers]


def test_the_generator_draws_the_same_without_its_factors():
    keras.utils.set_random_seed(1)
    generator = build_generator(32, 8, LatentSpec.uniform(6))
    for layer in generator.layers:
        if layer.name in ("dense", "rgb"):  # a bias is multiplied too
            kernel, bias = layer.get_weights()
            layer.set_weights([kernel, np.random.default_rng(0).normal(0, 0.1, bias.shape)])
    plain = without_scales(generator)
    assert kinds(generator).count("Rescaling") == 2 and "Rescaling" not in kinds(plain)
    assert np.asarray(plain(Z)) == pytest.approx(np.asarray(generator(Z)), abs=1e-5)
    assert without_scales(plain) is plain


def test_factors_that_others_need_stay():
    """Behind an activation, of what is read twice, and with something added."""
    layers = keras.layers
    z = keras.Input((6,))
    x = layers.Rescaling(2.0)(layers.Dense(4, activation="relu")(z))
    y = layers.Dense(4)(x)
    network = keras.Model(z, layers.Rescaling(3.0, 1.0)(layers.Add()([layers.Rescaling(2.0)(y), y])))
    assert without_scales(network) is network
