"""Channels made even: the same image, and less noise in int8."""

import keras
import numpy as np
import pytest

from convert.equalise import equalised
from convert.scales import without_scales
from lmedge.gan.families.relativistic.networks import build_generator
from lmedge.latent import LatentSpec, uniform
from tests.convert import joining_generator

SPEC = LatentSpec.uniform(6)
Z = uniform(32, 6, 0)


@pytest.fixture(scope="module")
def uneven():
    """A generator whose channels have widths far apart, one of them dead."""
    keras.utils.set_random_seed(2)
    generator = _with_relu(without_scales(build_generator(32, 8, SPEC)))
    random = np.random.default_rng(0)
    for name in ("conv_8", "conv_16"):
        layer = generator.get_layer(name)
        kernel, bias = layer.get_weights()
        factor = np.exp(random.normal(0, 1.0, len(bias)))
        factor[-1] = 0
        layer.set_weights([kernel * factor, bias])
    return generator


def _with_relu(network):
    """The same network without a limit to what its convolutions give: factors pass."""

    def cloned(layer):
        config = layer.get_config()
        if config.get("activation") == "relu6":
            config["activation"] = "relu"
        return type(layer).from_config(config)

    copy = keras.models.clone_model(network, clone_function=cloned)
    copy.set_weights(network.get_weights())
    return copy


def rounded(values):
    """In 255 steps from the least to the most of them."""
    step = (values.max() - values.min()) / 255
    return np.round(values / step) * step


def noise(network, z):
    """Mean error of the image when what one layer gives is rounded as int8 does, summed over the layers."""
    exact, total = np.asarray(network(z)), 0.0
    for layer in network.layers:
        if layer.name.startswith(("conv", "more", "sum", "scaled")):
            whole = keras.Model(network.input, [layer.output, network.output])
            values, _ = whole(z)
            # The rest of the network is nearly linear in so small a change: a derivative along it.
            change = rounded(np.asarray(values)) - np.asarray(values)
            others = keras.Model([layer.output, *_inputs(network, layer)], network.output)
            given = [np.asarray(keras.Model(network.input, tensor)(z)) for tensor in _inputs(network, layer)]
            total += np.abs(np.asarray(others([np.asarray(values) + change, *given])) - exact).mean()
    return total


def _inputs(network, layer):
    """What the layers behind `layer` read beside it: the scales, and what is added to a residual branch."""
    tensors = [one.output for one in network.layers if one.name.startswith("scale_")]
    side = layer.name.rsplit("_", 1)[-1]
    if layer.name.startswith(("scaled", "more")):
        tensors.append(network.get_layer(f"conv_{side}").output)
    return tensors


def test_the_image_stays_the_same_and_channels_become_alike(uneven):
    even = equalised(uneven, Z)
    z = uniform(20, 6, 1)
    assert np.asarray(even(z)) == pytest.approx(np.asarray(uneven(z)), abs=2e-4)
    spreads = []
    for network in (uneven, even):
        outputs = [network.get_layer(name).output for name in ("conv_8", "scaled_8", "sum_8", "conv_16", "sum_16")]
        values = [np.abs(np.asarray(tensor)) for tensor in keras.Model(network.input, outputs)(z)]
        widths = [np.sort(value.reshape(-1, value.shape[-1]).max(axis=0))[1:] for value in values]  # one is dead
        spreads.append(sum(np.log(width).std() for width in widths))
    assert spreads[1] < 0.7 * spreads[0]


def test_rounding_costs_the_image_less(uneven):
    z = uniform(20, 6, 1)
    assert noise(equalised(uneven, Z), z) < 0.8 * noise(uneven, z)


def test_where_factors_do_not_pass_nothing_is_divided():
    """Behind an ELU, what is joined, and the image itself."""
    network = joining_generator(16, 4, 6)
    even = equalised(network, Z)
    assert np.asarray(even(Z)) == pytest.approx(np.asarray(network(Z)), abs=1e-5)
    for before, after in zip(network.layers, even.layers, strict=True):
        if type(before) is keras.layers.Conv2D:
            assert all((a == b).all() for a, b in zip(before.get_weights(), after.get_weights(), strict=True))


def test_what_is_limited_is_not_divided_but_its_products_with_a_scale_are():
    keras.utils.set_random_seed(2)
    network = without_scales(build_generator(32, 8, SPEC))
    even = equalised(network, Z)
    assert np.asarray(even(Z)) == pytest.approx(np.asarray(network(Z)), abs=1e-4)
    divided = {
        before.name
        for before, after in zip(network.layers, even.layers, strict=True)
        if any(not np.array_equal(a, b) for a, b in zip(before.get_weights(), after.get_weights(), strict=True))
    }
    assert divided == {"dense", "conv_8", "dense_8", "more_8", "dense_16", "more_16"}
    for name in ("conv_8", "more_8", "more_16"):  # only what they read was divided
        assert np.array_equal(network.get_layer(name).bias.numpy(), even.get_layer(name).bias.numpy())


def test_a_layer_that_is_called_twice_leaves_the_network_alone():
    z = keras.Input((6,))
    shared = keras.layers.Dense(6)
    network = keras.Model(z, keras.layers.Dense(3)(shared(shared(z))))
    assert equalised(network, Z) is network
