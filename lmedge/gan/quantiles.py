"""Latents in a graph: what `LatentSpec.quantile` is, in TensorFlow and float32."""

import numpy as np
import tensorflow as tf

from lmedge.block import Block
from lmedge.latent import LatentSpec
from lmedge.mixture import Mixture

HALF_A_STEP = 2.0**-24  # of TensorFlow's float32 random numbers, which are multiples of 2^-23


def latents_of(spec: LatentSpec, share: tf.Tensor) -> tf.Tensor:
    """Latents `[..., Z]` from evenly spread numbers `share` `[..., Z]` in 0..1, without 1."""
    parts = tf.split(share, [sum(block.size for block in together) for together in spec.together], axis=-1)
    drawn = [_drawn(together[0], part) for together, part in zip(spec.together, parts, strict=True)]
    return tf.clip_by_value(tf.concat(drawn, axis=-1), spec.low, spec.high)


def _drawn(block: Block, share: tf.Tensor) -> tf.Tensor:
    """See `Block.quantile`."""
    if block.mixture is not None:
        return _of_mixture(block.mixture, share + HALF_A_STEP)
    if block.distribution == "normal":
        return tf.math.ndtri(share + HALF_A_STEP)
    return share * (block.high - block.low) + block.low


def _of_mixture(mixture: Mixture, share: tf.Tensor) -> tf.Tensor:
    """See `Mixture.quantile`."""
    ends, means, factors = (array.astype(np.float32) for array in mixture.arrays)
    widths = np.diff(ends, prepend=np.float32(0))
    flat = tf.reshape(share, [-1, mixture.size])
    first = flat[:, 0]
    part = tf.minimum(tf.searchsorted(ends, first, side="right"), len(ends) - 1)
    rest = (first - tf.gather(ends - widths, part)) / tf.gather(widths, part)
    rest = tf.clip_by_value(rest, HALF_A_STEP, 1 - HALF_A_STEP)
    normals = tf.math.ndtri(tf.concat([rest[:, None], flat[:, 1:]], axis=1))
    drawn = tf.gather(means, part) + tf.linalg.matvec(tf.gather(factors, part), normals)
    return tf.reshape(drawn, tf.shape(share))
