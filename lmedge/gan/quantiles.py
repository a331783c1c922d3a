"""Latents in a graph: what `LatentSpec.quantile` is, in TensorFlow and float32."""

import numpy as np
import tensorflow as tf

from lmedge.block import Block
from lmedge.latent import LatentSpec
from lmedge.mixture import Mixture

HALF_A_STEP = 2.0**-24  # of TensorFlow's float32 random numbers, which are multiples of 2^-23


def latents_of(spec: LatentSpec, share: tf.Tensor) -> tf.Tensor:
    """Latents `[..., Z]` from evenly spread numbers `share` `[..., Z]` in 0..1, without 1."""
    parts = tf.split(share, [block.size for block in spec.blocks], axis=-1)
    return tf.concat([_of_block(block, part) for block, part in zip(spec.blocks, parts, strict=True)], axis=-1)


def _of_block(block: Block, share: tf.Tensor) -> tf.Tensor:
    if block.mixture is not None:
        return tf.clip_by_value(_of_mixture(block.mixture, share + HALF_A_STEP), block.low, block.high)
    if block.distribution == "normal":
        return tf.clip_by_value(tf.math.ndtri(share + HALF_A_STEP), block.low, block.high)
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
