"""A generator whose inverse is known."""

import keras
import numpy as np

from lmedge.latent import LatentSpec

SPEC = LatentSpec.uniform(6)


def linear_generator():
    """A fixed, well-conditioned linear map from 6 components to 8x8 pixels."""
    z = keras.Input((6,))
    image = keras.layers.Reshape((8, 8, 3))(keras.layers.Dense(192, use_bias=False)(z))
    model = keras.Model(z, image)
    basis = np.linalg.qr(np.random.default_rng(0).normal(size=(192, 6)))[0].T
    model.set_weights([basis * 3])
    return model


def curved_generator():
    """The same behind a bend, so that its derivatives change along the way."""
    linear = linear_generator()
    return keras.Model(linear.input, keras.layers.Activation("tanh")(linear.output))


def uniform(count, number):
    """Latents `[count, 6]`."""
    return np.random.default_rng(number).uniform(-1, 1, (count, 6)).astype(np.float32)
