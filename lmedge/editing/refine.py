"""The identity-preserving optimisation of AGE-cGAN (Antipov, Baccouche, Dugelay 2017, arXiv 1702.01983): the latent of
a photo is moved until a network that knows people finds the person of the photo."""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from lmedge.inversion.adam import make_adam
from lmedge.inversion.inverter import not_shown
from lmedge.latent import Latents, LatentSpec

STEPS, RATE = 100, 0.03  # of Adam, in units of the latent; the authors take L-BFGS-B
BATCH = 32
# Weight of the squared error of the pixels (-1..1) beside the squared distance of the features, whose length is 1. The
# authors have 0, which costs 2 dB here and brings the face no nearer to another photo of the person.
PIXELS = 20.0


def make_refining(
    generator: Any, embed: Callable[[Any], Any], latent: LatentSpec, weights: NDArray[np.float32],
    pixels: float = PIXELS, steps: int = STEPS, rate: float = RATE,
) -> Callable[..., Latents]:  # fmt: skip
    """A function `(faces [N, H, W, 3] in -1..1, z [N, Z], advance) -> z [N, Z]`, which minimises

        |E(G(z)) - E(face)|^2 + pixels * mean(weights * (G(z) - face)^2)

    from z on, for features E(face) `embed(face)` `[N, F]` and `weights [H, W]` of mean 1, inside of the bounds. What
    asks for landmarks or attributes stays as it is: only the person is looked for."""
    person = latent.holding(lambda block: block.asks)
    part = np.sqrt(pixels / (3 * weights.size), dtype=np.float32)
    scale = tf.sqrt(tf.cast(weights, tf.float32))[None, :, :, None]

    def described(images: Any) -> tf.Tensor:
        """`[N, 1, 1, D]`, between which the mean squared difference is a D-th of the sum of both terms."""
        flat = tf.reshape(images * scale, [tf.shape(images)[0], -1])
        return tf.concat([embed(images), part * flat], axis=1)[:, None, None, :]

    def drawn(z: Any, training: bool = False) -> tf.Tensor:
        return described(generator(z, training=training))

    search = make_adam(drawn, person, np.ones((1, 1), np.float32), steps, rate, "l2", redraw=False)

    def refined(faces: NDArray[np.float32], z: Latents, advance: Callable[[int], None] = not_shown) -> Latents:
        found = []
        for first in range(0, len(z), BATCH):
            some = slice(first, first + BATCH)
            found.append(search(described(faces[some]), tf.constant(z[some]), tf.zeros(2, tf.int32))[0].numpy())
            advance(len(found[-1]))
        return np.concatenate(found)

    return refined
