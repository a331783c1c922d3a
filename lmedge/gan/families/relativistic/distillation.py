"""A generator learns to draw what a larger one draws from the same latents (distillation, arXiv 1503.02531).

The distance of two faces has a part in the image and a part in the features of the teacher's discriminator, as it was
when the teacher was trained: the former alone blurs. At first it rules, and then gives way to the verdicts of the
student's own discriminator, as in TinyGAN (arXiv 2009.13829), whose distances are these; MobileStyleGAN (arXiv
2104.04767) and StyleKD (arXiv 2208.14840) compare the faces of the same latents too.
"""

import math
from typing import Any

import keras
import tensorflow as tf

from lmedge.gan.families.relativistic.networks import feature_layers
from lmedge.gan.families.relativistic.teacher import Teacher

# Weights of the distances. The gradient of each for a face is then about as long as that of L_G: without them they were
# 0.009, 0.02 and 0.5, for blurred faces of a teacher and its discriminator.
IMAGE, FEATURES = 50.0, 25.0
LEAST = 0.2  # share of the teacher once it has faded
LEVELS = 127.5  # of an image in -1..1


class Distillation:
    """What pulls a student's faces towards those of its teacher, over a training of `steps` steps."""

    def __init__(self, teacher: Teacher, steps: int, fade: float):
        self.generator, self.steps = teacher.generator, steps * fade
        self.generator.trainable = False
        self.features: Any | None = None
        if teacher.discriminator is not None:
            image, outputs = teacher.discriminator.inputs[0], feature_layers(teacher.discriminator)
            self.features = keras.Model(image, [layer.output for layer in outputs])
            self.features.trainable = False

    @property
    def weights(self) -> list[Any]:
        """All that stays as it is; a run that goes on takes it from its own checkpoint, whatever became of the
        teacher's."""
        return [*self.generator.weights, *(self.features.weights if self.features is not None else [])]

    def share(self, step: tf.Tensor) -> tf.Tensor:
        """How much the teacher counts after `step` steps: from 1 to `LEAST` along half a cosine."""
        gone = tf.minimum(1.0, tf.cast(step, tf.float32) / self.steps) if self.steps else tf.constant(1.0)
        return LEAST + (1 - LEAST) * (1 + tf.cos(math.pi * gone)) / 2

    def pulled(
        self, gradient: tf.Tensor, faces: tf.Tensor, z: tf.Tensor, step: tf.Tensor
    ) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """What pushes drawn `faces` `[B, S, S, 3]` of latents `z` `[B, Z]`, and figures for the log.

        `gradient` is that of L_G for the faces. Of it and of that of the distances the sum is taken, with the weights
        1 - share and share.
        """
        wanted = self.generator(z, training=False)
        with tf.GradientTape() as tape:
            tape.watch(faces)
            image = tf.reduce_mean(tf.abs(faces - wanted))
            features = self.apart(faces, wanted)
            distance = IMAGE * image + FEATURES * features
        share = self.share(step)
        figures = {"from_teacher": LEVELS * image}
        if self.features is not None:
            figures["features_from_teacher"] = 100 * features
        return (1 - share) * gradient + share * tape.gradient(distance, faces), figures

    def apart(self, faces: tf.Tensor, wanted: tf.Tensor) -> tf.Tensor:
        """The mean distance in the features, as a share of their mean size: of each face and each layer, so that
        neither a strong layer nor the width of a discriminator decides."""
        if self.features is None:
            return tf.constant(0.0)
        shares = []
        seen = (keras.tree.flatten(self.features(images)) for images in (faces, wanted))
        for ours, theirs in zip(*seen, strict=True):
            theirs = tf.cast(theirs, tf.float32)
            apart = tf.reduce_mean(tf.abs(tf.cast(ours, tf.float32) - theirs), [1, 2, 3])
            shares.append(apart / (tf.reduce_mean(tf.abs(theirs), [1, 2, 3]) + keras.config.epsilon()))
        return tf.reduce_mean(shares)
