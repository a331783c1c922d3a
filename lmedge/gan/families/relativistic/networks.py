"""The networks of a relativistic GAN: a generator that int8 runs fast, and a discriminator that looks at landmarks too.

Both have residual blocks: the discriminator's with LeakyReLU 0.2, the generator's with ReLU6, which an int8 convolution
takes in. Widths go by the resolution, in multiples of n, the generator's at 32x32.
"""

import math
from typing import Any

import keras
import numpy as np

from lmedge.gan.precision import LeakyReLU
from lmedge.keras_layers import DepthToSpace
from lmedge.latent import LatentSpec

BASE = 4  # pixels of the smallest resolution
SLOPE = 0.2
BLOCK = "block_"  # and the resolution: what a block of the discriminator gives
GAIN = 3.0  # of what lies between its first dense layer and its last convolution: brings it near the limit of ReLU6
FEATURES = 128  # of the discriminator before its verdict
GENERATOR = {8: 2.4, 16: 1.6, 32: 1.0, 64: 0.6, 128: 0.4}  # filters in n, by resolution
DISCRIMINATOR = {4: 4.8, 8: 3.2, 16: 2.4, 32: 1.2, 64: 0.6, 128: 0.4}


def filters(width: int, share: float) -> int:
    """A multiple of 8, which vector units take whole."""
    return max(8, 8 * round(width * share / 8))


def build_generator(size: int, width: int, latent: LatentSpec, dtype: str = "float32") -> Any:
    """G: z `[B, Z]` -> face `[B, size, size, 3]`, about -1..1.

    Dense to 4x4; per resolution nearest x2 and a 3x3 convolution, then one more, added to what it reads, whose input z
    scales channel by channel. The image comes from half of its resolution by depth-to-space: nothing is computed at
    the full one, which is what makes it cheap. The limit of ReLU6 cuts off what one in a thousand pixels would give:
    without it these grow to five times what all others stay below, and int8 has few levels left for those. The factors
    that bring activations near it are no weights: Adam's steps do not depend on them.
    """
    layers = keras.layers
    z = keras.Input((latent.size,), name="z")

    def from_z(units: int, name: str, bias: str = "zeros") -> Any:
        """A dense layer whose first outputs do not depend on how wide a block of z is drawn."""
        layer = layers.Dense(units, bias_initializer=bias, dtype=dtype, name=name)
        x = layer(z)
        kernel, start = layer.get_weights()
        layer.set_weights([kernel / np.maximum(latent.unit, 1e-3)[:, None], start])
        return x

    def conv(x: Any, units: int, name: str, activation: str | None = "relu6") -> Any:
        return layers.Conv2D(units, 3, padding="same", activation=activation, dtype=dtype, name=name)(x)

    first = filters(width, GENERATOR[2 * BASE])
    x = layers.Rescaling(GAIN, dtype=dtype, name="gain")(from_z(BASE * BASE * first, "dense"))
    x = layers.Reshape((BASE, BASE, first), dtype=dtype, name="base")(x)
    side = BASE
    while 2 * side < size:
        side *= 2
        units = filters(width, GENERATOR[side])
        x = layers.UpSampling2D(interpolation="nearest", dtype=dtype, name=f"up_{side}")(x)
        x = conv(x, units, f"conv_{side}")
        scale = layers.Reshape((1, 1, units), dtype=dtype, name=f"scale_{side}")(from_z(units, f"dense_{side}", "ones"))
        h = layers.Multiply(dtype=dtype, name=f"scaled_{side}")([x, scale])
        h = conv(h, units, f"more_{side}")
        x = layers.Add(dtype=dtype, name=f"sum_{side}")([x, h])
    x = layers.Rescaling(1 / GAIN, dtype=dtype, name="loss")(conv(x, 12, "rgb", None))
    x = DepthToSpace(dtype=dtype, name="pixels")(x)
    return keras.Model(z, layers.Activation("linear", dtype="float32", name="image")(x), name="generator")


def build_discriminator(size: int, width: int, latent: LatentSpec, dtype: str = "float32") -> Any:
    """D: face `[B, size, size, 3]`, and what z asks for `[B, n]` where it does -> verdict `[B]`.

    Space-to-depth, then per resolution down to 4x4 two 3x3 convolutions, the second with stride 2, beside a shortcut; a
    dense layer to h. The verdict is w.h + <MLP(asked), h>, a projection (Miyato and Koyama, arXiv 1802.05637).
    """
    layers = keras.layers

    def leaky(x: Any) -> Any:
        return LeakyReLU(SLOPE, dtype=dtype)(x)

    def conv(x: Any, units: int, kernel: int = 3, strides: int = 1, bias: bool = True) -> Any:
        return layers.Conv2D(units, kernel, strides, padding="same", use_bias=bias, dtype=dtype)(x)

    image = keras.Input((size, size, 3), name="image")
    side = size // 2
    x = layers.Reshape((side, 2, side, 2, 3), dtype=dtype)(image)
    x = layers.Reshape((side, side, 12), dtype=dtype)(layers.Permute((1, 3, 2, 4, 5), dtype=dtype)(x))
    x = leaky(conv(x, filters(width, DISCRIMINATOR[side])))
    while side > BASE:
        units = filters(width, DISCRIMINATOR[side // 2])
        h = leaky(conv(x, filters(width, DISCRIMINATOR[side])))
        h = leaky(conv(h, units, strides=2))
        shortcut = conv(layers.AveragePooling2D(2, dtype=dtype)(x), units, 1, bias=False)
        side //= 2
        x = layers.Add(dtype=dtype)([shortcut, h])
        x = layers.Rescaling(math.sqrt(0.5), dtype=dtype, name=f"{BLOCK}{side}")(x)
    x = leaky(conv(x, filters(width, DISCRIMINATOR[BASE])))
    h = leaky(layers.Dense(FEATURES, dtype=dtype)(layers.Flatten(dtype=dtype)(x)))
    h = layers.Activation("linear", dtype="float32")(h)
    verdict = layers.Dense(1, dtype="float32", name="verdict")(h)
    inputs, spread = [image], latent.unit[latent.asks]
    if len(spread):
        asked = keras.Input((len(spread),), name="asked")
        given = layers.Rescaling((1 / np.maximum(spread, 1e-3)).tolist(), dtype="float32")(asked)
        code = layers.LeakyReLU(SLOPE)(layers.Dense(FEATURES, dtype="float32")(given))
        code = layers.Dense(FEATURES, dtype="float32")(code)
        projection = layers.Dot(1, dtype="float32")([code, h])
        projection = layers.Rescaling(1 / math.sqrt(FEATURES), dtype="float32")(projection)
        verdict = layers.Add(dtype="float32")([verdict, projection])
        inputs.append(asked)
    return keras.Model(inputs, layers.Reshape((), dtype="float32")(verdict), name="discriminator")


def feature_layers(discriminator: Any) -> list[Any]:
    """The ends of its blocks, which give `[B, h, w, c]`, the finest first."""
    return [layer for layer in discriminator.layers if layer.name.startswith(BLOCK)]
