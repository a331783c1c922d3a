"""The random numbers of a step."""

import tensorflow as tf

from lmedge.gan.quantiles import latents_of
from lmedge.gan.replicas import replicas
from lmedge.latent import LatentSpec

MIRROR, LATENTS = 1, 2  # streams; a family's own begin at 3 and stay below 10


class Draws:
    """Numbers that follow from (seed, step) alone, so that a continued run draws what the whole run would have drawn.

    Each replica takes its part of what one device would have drawn for the whole batch. XLA, and so a GPU, draws other
    numbers for the same seed.
    """

    def __init__(self, spec: LatentSpec, seed: int, step: tf.Tensor):
        self.spec, self.seed, self.step = spec, seed, step

    def uniform(self, count: int | tf.Tensor, size: int, stream: int) -> tf.Tensor:
        """Numbers in -1..1, `[count, size]`, others in each stream."""
        return self._drawn(count, size, stream, -1.0)

    def _drawn(self, count: int | tf.Tensor, size: int, stream: int, least: float) -> tf.Tensor:
        """Numbers from `least` to 1."""
        number, this = replicas()
        seed = tf.stack([self.seed * 10 + stream, tf.cast(self.step, tf.int32)])
        whole = tf.random.stateless_uniform([number * count, size], seed, least, 1.0)
        return whole[this * count : (this + 1) * count]

    def latents(self, count: int | tf.Tensor, stream: int = LATENTS) -> tf.Tensor:
        """Latents as the spec has them, `[count, Z]`."""
        return latents_of(self.spec, self._drawn(count, self.spec.size, stream, 0.0))
