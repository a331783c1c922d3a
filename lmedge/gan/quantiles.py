"""Latents in a graph: what `LatentSpec.quantile` is, in TensorFlow and float32."""

import tensorflow as tf

from lmedge.latent import Block, LatentSpec

HALF_A_STEP = 2.0**-24  # of TensorFlow's float32 random numbers, which are multiples of 2^-23


def latents_of(spec: LatentSpec, share: tf.Tensor) -> tf.Tensor:
    """Latents `[..., Z]` from evenly spread numbers `share` `[..., Z]` in 0..1, without 1."""
    parts = tf.split(share, [block.size for block in spec.blocks], axis=-1)
    return tf.concat([_of_block(block, part) for block, part in zip(spec.blocks, parts, strict=True)], axis=-1)


def _of_block(block: Block, share: tf.Tensor) -> tf.Tensor:
    if block.distribution == "normal":
        return tf.clip_by_value(tf.math.ndtri(share + HALF_A_STEP), block.low, block.high)
    return share * (block.high - block.low) + block.low
