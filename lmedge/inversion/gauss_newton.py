"""Inversion by Gauss-Newton: few steps that know how every component of z changes the image."""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from lmedge.latent import LatentSpec

DAMPING = 1e-2  # of the mean diagonal of J J^T, at the start
DAMPING_DOWN, DAMPING_UP = 0.2, 5.0  # after a step that helped, and one that did not
LEAST_DAMPING, MOST_DAMPING = 1e-6, 1e4
LEAST_DIAGONAL = 1e-9  # so that a generator that ignores z has equations with a solution: no step
AT_BOUND = 5e-5  # of the width between the bounds: nearer to one is at it


def make_gauss_newton(
    generator: Any, latent: LatentSpec, weights: Any, steps: int, difference: float
) -> Callable[[tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor]]:
    """A compiled function `(faces [B, H, W, 3] in -1..1, start [B, Z]) -> (z [B, Z], error [B])`.

    Minimises the mean of `weights [H, W]` times the squared difference between G(z) and the face, inside of the bounds
    of `latent`, by damped Gauss-Newton (Levenberg 1944, Marquardt 1963). The derivatives of the image are measured
    once, at the start, with Z more images at a distance of `difference` units; from then on each step corrects them by
    what it has seen (Broyden 1965), as one image is Z times cheaper than new derivatives. A step that does not lower
    the error is not taken, so more steps are never worse. A component at its bound stays there while the gradient
    points out of it: real faces lie beyond what is drawn in several directions, and redrawing those (the paper's
    stochastic clipping) costs 0.4 to 0.9 dB. Components that are not searched stay as they start.
    """
    low, high, centre = (tf.constant(z) for z in (latent.low, latent.high, (latent.low + latent.high) / 2))
    edge = AT_BOUND * (latent.high.astype(np.float64) - latent.low)
    lowest, highest = tf.constant(np.float32(latent.low + edge)), tf.constant(np.float32(latent.high - edge))
    apart = tf.constant(difference * latent.unit)
    scale = tf.sqrt(tf.cast(weights, tf.float32))[None, :, :, None]

    def images(z: tf.Tensor) -> tf.Tensor:
        """Weighted images `[B, P]`."""
        drawn = generator(z, training=False) * scale
        return tf.reshape(drawn, [tf.shape(z)[0], scale.shape[1] * scale.shape[2] * 3])

    def derivatives(at: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
        """`[Z, P]` of one face from its z `[Z]` and image `[P]`, towards the centre."""
        z, image = at
        sides = tf.where(z > centre, -apart, apart)
        moved = images(z[None] + tf.linalg.diag(sides))
        return (moved - image[None]) / sides[:, None]

    @tf.function(autograph=False)
    def invert_batch(faces: tf.Tensor, start: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        target = tf.reshape(faces * scale, [tf.shape(faces)[0], scale.shape[1] * scale.shape[2] * 3])

        def body(i: tf.Tensor, z: tf.Tensor, image: tf.Tensor, error: tf.Tensor, jacobian: tf.Tensor,
                 normal: tf.Tensor, damping: tf.Tensor) -> Any:  # fmt: skip
            downhill = tf.einsum("bzp,bp->bz", jacobian, target - image)
            outwards = ((z <= lowest) | (z >= highest)) & (downhill * (z - centre) > 0)
            free = tf.cast(~outwards & latent.searched, tf.float32)
            mean = tf.reduce_mean(tf.linalg.diag_part(normal), axis=1)
            diagonal = (damping * mean + LEAST_DIAGONAL)[:, None] * free + (1 - free)
            system = normal * free[:, :, None] * free[:, None, :] + tf.linalg.diag(diagonal)
            step = tf.linalg.solve(system, (downhill * free)[..., None])[..., 0]
            tried = tf.where(latent.searched, tf.clip_by_value(z + step, low, high), z)
            image_there = images(tried)
            error_there = tf.reduce_mean(tf.square(target - image_there), axis=1)

            # Broyden: the smallest change of J that explains how the image changed along this step.
            way = tried - z
            length = tf.reduce_sum(tf.square(way), axis=1, keepdims=True) + 1e-12
            surprise = (image_there - image - tf.einsum("bzp,bz->bp", jacobian, way)) / length
            seen = tf.einsum("bzp,bp->bz", jacobian, surprise)
            jacobian += way[:, :, None] * surprise[:, None, :]
            both = way[:, :, None] * seen[:, None, :]
            size = tf.reduce_sum(tf.square(surprise), axis=1)[:, None, None]
            normal += both + tf.transpose(both, [0, 2, 1]) + size * way[:, :, None] * way[:, None, :]

            better = error_there < error
            z, image = tf.where(better[:, None], tried, z), tf.where(better[:, None], image_there, image)
            damping *= tf.where(better, DAMPING_DOWN, DAMPING_UP)
            damping = tf.clip_by_value(damping, LEAST_DAMPING, MOST_DAMPING)
            return i + 1, z, image, tf.minimum(error, error_there), jacobian, normal, damping

        image = images(start)
        error = tf.reduce_mean(tf.square(target - image), axis=1)
        # One face at a time: its Z images fill the processor, and those of a whole batch would fill the memory.
        jacobian = tf.map_fn(derivatives, (start, image), fn_output_signature=tf.float32, parallel_iterations=1)
        jacobian = tf.ensure_shape(jacobian, [None, latent.size, image.shape[1]])
        normal = tf.matmul(jacobian, jacobian, transpose_b=True)
        damping = tf.fill([tf.shape(start)[0]], DAMPING)
        state = (tf.constant(0), start, image, error, jacobian, normal, damping)
        _, z, _, error, *_ = tf.while_loop(lambda i, *_: i < steps, body, state)
        return tf.ensure_shape(z, [None, latent.size]), error

    return invert_batch
