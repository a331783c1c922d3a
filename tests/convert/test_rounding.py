"""Weights in levels that make up for each other: the levels, and how much nearer what they compute is."""

import itertools

import keras
import numpy as np
import pytest

from convert import flatbuffer as fb
from convert.model import Conversion
from convert.recipe import RECIPES, Rewrites, Tuning
from convert.rounding import LEVELS, rounded, rounded_kernel
from lmedge.keras_model import Generator, KerasFaceModel
from lmedge.latent import LatentSpec, uniform
from lmedge.lgen.network import build_lgen
from lmedge.scheme import IBUG49
from tests.convert import joining_generator


def nearest(kernel):
    step = np.abs(kernel).max(axis=0) / LEVELS
    return np.round(kernel / step) * step


def error(kernel, other, x):
    return np.square(x @ (kernel - other)).mean(axis=0)


@pytest.fixture
def random():
    return np.random.default_rng(0)


def test_inputs_that_have_nothing_to_do_with_each_other_leave_the_nearest_level(random):
    kernel = random.normal(size=(12, 5)).astype(np.float32)
    assert rounded_kernel(kernel, np.diag(random.uniform(0.5, 2, 12)), 100) == pytest.approx(nearest(kernel), abs=1e-6)


def test_inputs_that_go_together_share_the_mistakes(random):
    kernel = random.normal(size=(40, 30)).astype(np.float32)
    x = random.normal(size=(500, 8)) @ random.normal(size=(8, 40)) + 0.1 * random.normal(size=(500, 40)) + 1
    found = rounded_kernel(kernel, x.T @ x / len(x), len(x))
    codes = found / (np.abs(kernel).max(axis=0) / LEVELS)
    assert codes == pytest.approx(np.round(codes), abs=1e-3) and np.abs(codes).max(axis=0) == pytest.approx(LEVELS)
    assert error(kernel, found, x).mean() < 0.2 * error(kernel, nearest(kernel), x).mean()


def test_of_three_inputs_it_is_nearly_the_best_of_all_levels(random):
    """Against every choice of levels near the weights, which three inputs allow to try."""
    x = random.normal(size=(400, 3)) @ np.array([[1.0, 0.9, 0.8], [0, 0.3, 0.2], [0, 0, 0.3]])
    errors = []
    for _ in range(20):
        kernel = random.normal(size=(3, 1)).astype(np.float32)
        step, largest = np.abs(kernel).max() / LEVELS, int(np.abs(kernel).argmax())
        near = [np.round(weight / step) + np.arange(-3, 4) for weight in kernel[:, 0]]
        near[largest] = np.array([np.sign(kernel[largest, 0]) * LEVELS])
        tried = [np.array(codes)[:, None] * step for codes in itertools.product(*near)]
        found = rounded_kernel(kernel, x.T @ x / len(x), len(x))
        errors.append([error(kernel, found, x)[0], error(kernel, nearest(kernel), x)[0],
                       min(error(kernel, one, x)[0] for one in tried)])  # fmt: skip
    ours, theirs, best = np.mean(errors, axis=0)
    assert ours < 1.5 * best and theirs > 2 * best


@pytest.mark.parametrize("dead", ["weights", "inputs"])
def test_what_is_dead_is_no_trouble(random, dead):
    kernel = random.normal(size=(6, 3)).astype(np.float32)
    moments = np.eye(6)
    if dead == "weights":
        kernel[:, 1] = 0
    else:
        moments[:] = 0
    found = rounded_kernel(kernel, moments, 100)
    assert np.isfinite(found).all() and (found == 0).sum() == (kernel == 0).sum()


def test_a_network_of_convolutions_computes_the_same_more_nearly():
    generator = joining_generator(32, 4, 8)
    z = uniform(64, 8, 1)
    exact = np.asarray(generator(z))
    plain = keras.models.clone_model(generator)
    plain.set_weights([nearest(w.reshape(-1, w.shape[-1])).reshape(w.shape) if w.ndim > 1 else w
                       for w in generator.get_weights()])  # fmt: skip
    ours, theirs = (np.square(np.asarray(n(z)) - exact).mean() for n in (rounded(generator, uniform(64, 8, 0)), plain))
    assert ours < 0.7 * theirs


def test_the_model_holds_the_levels_that_were_found():
    """The converter finds the same steps: nothing is rounded a second time."""
    model = KerasFaceModel(Generator(joining_generator(32, 4, 8)), build_lgen(8, 49, (8,)), scheme=IBUG49)
    assert model.latent == LatentSpec.uniform(8)
    faces = model.render(uniform(32, 8, 0))
    made = Conversion(model, faces, Rewrites(fit_ranges=False), Tuning(), lambda text: None)
    converted, _ = made.variant(RECIPES["int8"])
    static, _ = made.static()
    wanted = [w for network in (static.generator, static.lgen) for w in network.get_weights() if w.ndim > 1]
    graph = converted.subgraphs[0]
    held = []
    for op in graph.operators:
        if fb.name_of(converted, op) in ("CONV_2D", "FULLY_CONNECTED"):
            tensor = graph.tensors[op.inputs[1]]
            codes = np.asarray(converted.buffers[tensor.buffer].data, np.uint8).view(np.int8).reshape(tensor.shape)
            scale = np.array(tensor.quantization.scale)
            held.append(np.moveaxis(codes * scale.reshape(-1, *[1] * (codes.ndim - 1)), 0, -1))
    assert len(held) == len(wanted) == 10
    for weights in wanted:
        alike = [one for one in held if one.shape == weights.shape]
        assert min(np.abs(one - weights).max() for one in alike) < 1e-5 * np.abs(weights).max()


def test_few_samples_say_little_and_do_no_harm(random):
    """A moment of fewer samples than inputs is blind to most of them."""
    mixed = random.normal(size=(60, 60)) / 8 + np.eye(60)
    kernel = random.normal(size=(60, 40)).astype(np.float32)
    x = random.normal(size=(5000, 60)) @ mixed
    for count, most in ((20, 1.1), (60, 1.0), (5000, 0.9)):
        found = rounded_kernel(kernel, x[:count].T @ x[:count] / count, count)
        assert error(kernel, found, x).mean() < most * error(kernel, nearest(kernel), x).mean(), count


def test_an_activation_that_is_used_twice_and_layers_of_other_models_are_no_trouble():
    """What a layer reads is looked up in its own call, in this network."""
    layers = keras.layers

    def generator(act, head):
        x = z = keras.Input((8,))
        x = layers.Reshape((8, 8, 16))(layers.Dense(1024, name="dense")(x))
        for name, units in (("one", 12), ("two", 12), ("three", 8)):
            x = act()(layers.Conv2D(units, 3, padding="same", name=name)(x))
        return keras.Model(z, head(x))

    keras.utils.set_random_seed(1)
    shared = layers.LeakyReLU()
    head = layers.Conv2D(3, 3, padding="same", name="head")
    head(keras.Input((4, 4, 8)))  # a part of another model
    mixed, own = generator(lambda: shared, head), generator(layers.LeakyReLU, layers.Conv2D(3, 3, name="head"))
    for layer in own.layers:
        if layer.weights:
            layer.set_weights(mixed.get_layer(layer.name).get_weights())
    z = uniform(64, 8, 0)
    for one, other in zip(rounded(mixed, z).get_weights()[:6], rounded(own, z).get_weights()[:6], strict=True):
        assert one == pytest.approx(other, abs=1e-6)


def test_blocks_change_nothing(random, monkeypatch):
    kernel = random.normal(size=(50, 7)).astype(np.float32)
    x = random.normal(size=(400, 50)) @ random.normal(size=(50, 50))
    found = rounded_kernel(kernel, x.T @ x / len(x), len(x))
    monkeypatch.setattr("convert.rounding.BLOCK", 9)
    assert rounded_kernel(kernel, x.T @ x / len(x), len(x)) == pytest.approx(found, abs=1e-6)
