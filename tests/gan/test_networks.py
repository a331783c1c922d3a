import numpy as np
import pytest
import tensorflow as tf

from lmedge.block import Block
from lmedge.gan.families.began.networks import build_discriminator, build_generator
from lmedge.gan.families.relativistic import networks as relativistic
from lmedge.gan.precision import LeakyReLU, in_precision
from lmedge.latent import LatentSpec


def decoder_parameters(size, n, z):
    stages = int(np.log2(size // 8)) + 1
    return (z + 1) * 64 * n + 2 * stages * (9 * n * n + n) + 9 * n * 3 + 3


def encoder_parameters(size, n, z):
    stages = int(np.log2(size // 8)) + 1
    count = 9 * 3 * n + n
    for i in range(1, stages + 1):
        count += 2 * (9 * (i * n) ** 2 + i * n)
        if i < stages:
            count += 9 * (i * n) * (i * n + n) + (i * n + n)
    return count + (64 * stages * n + 1) * z


@pytest.mark.parametrize(("size", "n", "z"), [(64, 32, 64), (32, 16, 64), (128, 8, 16), (16, 4, 8)])
def test_parameters_follow_from_the_paper_s_figure(size, n, z):
    generator, discriminator = build_generator(size, n, z), build_discriminator(size, n, z)
    assert generator.count_params() == decoder_parameters(size, n, z)
    assert discriminator.count_params() == encoder_parameters(size, n, z) + decoder_parameters(size, n, z)
    assert generator.output_shape == discriminator.output_shape == (None, size, size, 3)


def test_the_generator_computes_what_its_layers_say():
    """Dense, reshape, ELU convolutions, nearest x2, by hand in NumPy."""
    generator = build_generator(16, 2, 3)
    for weight in generator.weights:
        weight.assign(np.random.default_rng(len(weight.path)).normal(0, 0.5, weight.shape))
    z = np.array([[0.5, -1.0, 0.25]])
    weights = iter(generator.get_weights())

    def conv(x):
        kernel, bias = next(weights), next(weights)
        padded = np.pad(x, ((1, 1), (1, 1), (0, 0)))
        out = sum(padded[i : i + x.shape[0], j : j + x.shape[1]] @ kernel[i, j] for i in range(3) for j in range(3))
        return out + bias

    def elu(x):
        return np.where(x > 0, x, np.expm1(np.minimum(x, 0)))

    x = (z @ next(weights) + next(weights)).reshape(8, 8, 2)
    x = elu(conv(elu(conv(x)))).repeat(2, 0).repeat(2, 1)
    x = conv(elu(conv(elu(conv(x)))))
    assert np.asarray(generator(z))[0] == pytest.approx(x, abs=1e-4)


def began_generator(dtype):
    return build_generator(16, 4, 8, dtype)


def relativistic_generator(dtype):
    return relativistic.build_generator(16, 8, LatentSpec((Block("person", 8),)), dtype)


@pytest.mark.parametrize("build", [began_generator, relativistic_generator])
def test_mixed_precision_keeps_float32_weights_and_output(build):
    generator = build("mixed_bfloat16")
    assert {weight.dtype for weight in generator.weights} == {"float32"}
    assert np.asarray(generator(np.zeros((1, 8)))).dtype == np.float32
    plain = build("float32")
    plain.set_weights(generator.get_weights())
    for dtype, other, same in (("float32", generator, plain), ("mixed_bfloat16", plain, generator)):
        copy = in_precision(other, dtype)
        for layer, like in zip(copy.layers, same.layers, strict=True):
            assert type(layer) is type(like) and layer.get_config() == like.get_config()
        assert all(np.array_equal(a, b) for a, b in zip(copy.get_weights(), same.get_weights(), strict=True))
    z = np.random.default_rng(0).uniform(-1, 1, (4, 8))
    assert np.asarray(generator(z)) == pytest.approx(np.asarray(plain(z)), abs=0.03)


@pytest.mark.parametrize("dtype", [tf.bfloat16, tf.float32])
def test_leaky_relu_has_its_first_and_second_derivatives(dtype):
    """Of y = leaky(w x): dy/dx = w s with s 1 or 0.2, and d/dw of its square, as penalties ask for, 2 w s^2."""
    x, w = tf.constant([-3.0, -0.5, 0.5, 4.0], dtype), tf.constant([2.0, -1.0, 0.25, 8.0], dtype)
    layer = LeakyReLU(0.2, dtype="mixed_bfloat16" if dtype == tf.bfloat16 else "float32")
    with tf.GradientTape(persistent=True) as outer:
        outer.watch(w)
        with tf.GradientTape() as inner:
            inner.watch(x)
            y = layer(w * x)
        slope = inner.gradient(y, x)
        squared = tf.reduce_sum(tf.square(slope))
    s = np.array([0.2, 1.0, 1.0, 1.0])
    wide = {name: np.asarray(tf.cast(value, tf.float32)) for name, value in (
        ("y", y), ("slope", slope), ("of_w", outer.gradient(y, w)), ("of_square", outer.gradient(squared, w))
    )}  # fmt: skip
    assert y.dtype == slope.dtype == dtype
    assert wide["y"] == pytest.approx([-1.2, 0.5, 0.125, 32.0], rel=5e-3)
    assert wide["slope"] == pytest.approx(s * [2.0, -1.0, 0.25, 8.0], rel=5e-3)
    assert wide["of_w"] == pytest.approx(s * [-3.0, -0.5, 0.5, 4.0], rel=5e-3)
    assert wide["of_square"] == pytest.approx(2 * s**2 * [2.0, -1.0, 0.25, 8.0], rel=1e-2)
