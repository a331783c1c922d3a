"""Inversion by Adam on z, as the paper does it (arXiv 1802.00390)."""

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import tensorflow as tf

from lmedge.gan.quantiles import latents_of
from lmedge.latent import LatentSpec

RATE_AT_END = 0.05  # of the learning rate


def make_adam(
    generator: Any, latent: LatentSpec, weights: Any, steps: int, learning_rate: float, loss: Literal["l1", "l2"],
    redraw: bool,
) -> Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor]]:  # fmt: skip
    """A compiled function `(faces [B, H, W, 3] in -1..1, start [B, Z], seed [2]) -> (z [B, Z], error [B])`.

    Minimises the mean of `weights [H, W]` times the absolute or squared difference between G(z) and the face by Adam
    (beta 0.9, 0.999), with a rate, in units of `latent`, that falls along a cosine. A component that leaves its bounds
    is drawn again (stochastic clipping; Lipton and Tripathi, arXiv 1702.04782, section 3) or, without `redraw`, put on
    the bound. Components that are not searched stay as they start. The best z each face has visited is returned, so
    that a late redraw costs nothing.
    """
    low, high = tf.constant(latent.low), tf.constant(latent.high)
    # Per component, and 0 where it is held.
    pace = tf.constant(learning_rate * latent.unit * latent.searched)
    scale = tf.cast(weights, tf.float32)[None, :, :, None]

    def errors(z: tf.Tensor, faces: tf.Tensor) -> tf.Tensor:
        difference = generator(z, training=False) - faces
        each = tf.abs(difference) if loss == "l1" else tf.square(difference)
        return tf.reduce_mean(scale * each, axis=[1, 2, 3])  # (B,)

    @tf.function(autograph=False)
    def invert_batch(faces: tf.Tensor, start: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        def body(i: tf.Tensor, z: tf.Tensor, m: tf.Tensor, v: tf.Tensor, best: tf.Tensor, best_z: tf.Tensor) -> Any:
            # Only z is watched: the generator's weights need no gradient.
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(z)
                error = errors(z, faces)
                # The sum, so that a face's step does not depend on its batch.
                total = tf.reduce_sum(error)
            gradient = tape.gradient(total, z)
            better = error < best
            best, best_z = tf.where(better, error, best), tf.where(better[:, None], z, best_z)
            t = tf.cast(i, tf.float32) + 1.0
            m = 0.9 * m + 0.1 * gradient
            v = 0.999 * v + 0.001 * tf.square(gradient)
            fall = 0.5 * (1 + tf.cos(np.pi * (t - 1) / steps))
            rate = pace * (RATE_AT_END + (1 - RATE_AT_END) * fall)
            z -= rate * (m / (1 - 0.9**t)) / (tf.sqrt(v / (1 - 0.999**t)) + 1e-8)
            if redraw:
                drawn = latents_of(latent, tf.random.stateless_uniform(tf.shape(z), seed + tf.stack([0, i])))
                z = tf.where(((z < low) | (z > high)) & latent.searched, drawn, z)
            else:
                z = tf.where(latent.searched, tf.clip_by_value(z, low, high), z)
            return i + 1, z, m, v, best, best_z

        zeros = tf.zeros_like(start)
        worst = tf.fill([tf.shape(start)[0]], np.float32(np.inf))
        state = (tf.constant(0), start, zeros, zeros, worst, start)
        *_, last, _, _, best, best_z = tf.while_loop(lambda i, *_: i < steps, body, state)
        last_error = errors(last, faces)
        z = tf.where((last_error < best)[:, None], last, best_z)
        return tf.ensure_shape(z, [None, latent.size]), tf.minimum(last_error, best)

    return invert_batch
