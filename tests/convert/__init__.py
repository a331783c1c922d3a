"""Networks that several of these tests convert."""

from typing import Any

import keras
import numpy as np


def joining_generator(size: int, width: int, latent: int) -> Any:
    """A generator with skip connections (BEGAN, section 3.5.1): each upsampling also takes the 8x8 base, enlarged."""
    layers = keras.layers
    z = keras.Input((latent,))
    x = base = layers.Reshape((8, 8, width))(layers.Dense(64 * width)(z))
    while True:
        for _ in range(2):
            x = layers.Conv2D(width, 3, padding="same", activation="elu")(x)
        if x.shape[1] == size:
            break
        if x.shape[1] > 8:
            base = layers.UpSampling2D()(base)
        x = layers.UpSampling2D()(layers.Concatenate()([x, base]))
    model = keras.Model(z, layers.Conv2D(3, 3, padding="same")(x), name="generator")
    for number, weight in enumerate(model.weights):
        weight.assign(np.random.default_rng(number).normal(0, 0.3 / width**0.5, weight.shape))
    return model
