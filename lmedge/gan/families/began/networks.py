"""The networks of BEGAN (arXiv 1703.10717, figure 1): generator and auto-encoding discriminator."""

from typing import Any

import keras

from lmedge.gan.precision import elu

BASE = 8  # pixels of the smallest resolution


def _stages(size: int) -> int:
    """Resolutions from 8 to `size`, doubling."""
    return (size // BASE).bit_length()


def build_decoder(size: int, width: int, latent: int, dtype: str, name: str) -> Any:
    """z `[B, Z]` -> image `[B, size, size, 3]`, about -1..1, no output activation.

    Dense to 8x8xn; per resolution two 3x3 convolutions (ELU), nearest x2 between; a 3x3 convolution to RGB.
    `dtype` is what it computes in; output and weights are float32.
    """
    layers = keras.layers
    z = keras.Input((latent,), name="z")
    x = layers.Dense(BASE * BASE * width, dtype=dtype, name="dense")(z)
    x = layers.Reshape((BASE, BASE, width), dtype=dtype, name="base")(x)
    for stage in range(_stages(size)):
        side = BASE << stage
        if stage:
            x = layers.UpSampling2D(interpolation="nearest", dtype=dtype, name=f"up_{side}")(x)
        for i in (1, 2):
            x = layers.Conv2D(width, 3, padding="same", activation=elu(dtype), dtype=dtype, name=f"conv_{side}_{i}")(x)
    image = layers.Conv2D(3, 3, padding="same", dtype=dtype, name="rgb")(x)
    image = layers.Activation("linear", dtype="float32", name="image")(image)
    return keras.Model(z, image, name=name)


def build_generator(size: int, width: int, latent: int, dtype: str = "float32") -> Any:
    """G: z `[B, Z]` in -1..1 -> face `[B, size, size, 3]`, about -1..1. The decoder's architecture."""
    return build_decoder(size, width, latent, dtype, "generator")


def build_discriminator(size: int, width: int, latent: int, dtype: str = "float32") -> Any:
    """D: face `[B, size, size, 3]` -> its reconstruction, same shape.

    Encoder: 3x3 convolution to n; per resolution two 3x3 convolutions, then one with stride 2 to n(i+1);
    Dense to Z. Decoder: as the generator. No non-linearity after a Dense layer.
    """
    layers = keras.layers

    def conv(x: Any, filters: int, name: str, strides: int = 1) -> Any:
        return layers.Conv2D(filters, 3, strides, padding="same", activation=elu(dtype), dtype=dtype, name=name)(x)

    image = keras.Input((size, size, 3), name="image")
    x = conv(image, width, "enc_rgb")
    stages = _stages(size)
    for stage in range(stages):
        side, filters = size >> stage, width * (stage + 1)
        x = conv(x, filters, f"enc_{side}_1")
        x = conv(x, filters, f"enc_{side}_2")
        if stage + 1 < stages:
            x = conv(x, filters + width, f"enc_{side}_down", strides=2)
    x = layers.Flatten(dtype=dtype, name="enc_flat")(x)
    code = layers.Dense(latent, dtype=dtype, name="enc_code")(x)
    decoder = build_decoder(size, width, latent, dtype, "decoder")
    return keras.Model(image, decoder(code), name="discriminator")
