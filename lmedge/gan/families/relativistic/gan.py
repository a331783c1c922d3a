"""The networks of a relativistic GAN, and its step."""

from typing import Any

import keras
import tensorflow as tf

from lmedge.gan.draws import Draws
from lmedge.gan.families.relativistic.distillation import Distillation
from lmedge.gan.families.relativistic.networks import build_discriminator, build_generator
from lmedge.gan.families.relativistic.options import RelativisticConfig
from lmedge.gan.families.relativistic.teacher import Teacher
from lmedge.gan.gan import Batch, Gan, values
from lmedge.gan.replicas import mean_over_replicas, replicas
from lmedge.gan.training import steps_for
from lmedge.latent import LatentSpec

FURTHEST = 20.0  # difference of two verdicts beyond which nothing changes


def losses(difference: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """L_D = softplus(-d), L_G = softplus(d), means over the pairs; d = D(real) - D(drawn) `[B]` (R3GAN, section 2)."""
    return tf.reduce_mean(tf.nn.softplus(-difference)), tf.reduce_mean(tf.nn.softplus(difference))


class Relativistic(Gan):
    """Generator and discriminator. Adam (beta_1 0, beta_2 0.99) for both. With a teacher the discriminator begins as
    the teacher's."""

    def __init__(self, config: RelativisticConfig, size: int, latent: LatentSpec, teacher: Teacher | None = None):
        assert config.width and config.batch and config.learning_rate is not None and config.penalty_every
        self.latent, self.gamma, self.every = latent, config.gamma, config.penalty_every
        self.generator = build_generator(size, config.width, latent, config.precision)
        width = config.width if teacher is None else teacher.width
        self.discriminator = build_discriminator(size, width, latent, config.precision)
        self.distillation: Distillation | None = None
        if teacher is not None:
            self.distillation = Distillation(teacher, steps_for(config.kimg, config.batch), config.fade)
            if teacher.discriminator is not None:
                self.discriminator.set_weights(teacher.discriminator.get_weights())
        # Squared gradients of D, as they were when they were last looked at.
        self.slopes = {name: keras.Variable(0.0, trainable=False, name=name) for name in ("slope_real", "slope_fake")}
        self.optimizers = {}
        for name, network in (("adam_g", self.generator), ("adam_d", self.discriminator)):
            self.optimizers[name] = keras.optimizers.Adam(config.learning_rate, beta_1=0.0, beta_2=0.99, name=name)
            self.optimizers[name].build(network.trainable_variables)

    def variables(self) -> dict[str, list[Any]]:
        teacher = {} if self.distillation is None else {"teacher": self.distillation.weights}
        return {"discriminator": self.discriminator.weights, "slopes": list(self.slopes.values()), **teacher}

    def asked(self, batch: Batch) -> tf.Tensor | None:
        """What latents ask for of real faces, `[B, n]`: the shape block of their landmarks, inside of its bounds, then
        their attributes. None where latents ask for nothing, or nothing is known of the faces."""
        parts: list[tf.Tensor] = []
        for block in self.latent.blocks:
            if block.shapes is not None and batch.landmarks is not None:
                mean, inverse = block.shapes.arrays
                flat = tf.reshape(batch.landmarks, [-1, len(mean)])
                parts.append(tf.clip_by_value(tf.matmul(flat - mean, inverse), block.low, block.high))
            elif block.attributes is not None:
                parts.append(batch.attributes)
        return tf.concat(parts, 1) if parts else None

    def latents(self, draws: Draws, count: tf.Tensor, asked: tf.Tensor | None) -> tf.Tensor:
        """Latents as they are drawn, but with what is asked for: blocks that ask lie behind those that do not."""
        drawn = draws.latents(count)
        return drawn if asked is None else tf.concat([drawn[:, : -asked.shape[1]], asked], 1)

    def learn(self, batch: Batch, draws: Draws) -> dict[str, tf.Tensor]:
        """One joint step. Each real face is paired with one drawn for its landmarks.

        D's weights take the gradient of L_D; a drawn face takes that of L_G, which is what L_D sends to it times the
        ratio of the two losses' derivatives, face by face, as nothing in D couples the faces of a batch. D sees the
        halves in passes of their own, which a CPU takes side by side. What a teacher adds is added to the faces'
        gradient, before that goes through G.
        """
        real = batch.images
        count = tf.shape(real)[0]
        asked = self.asked(batch)
        z = self.latents(draws, count, asked)
        d_weights, g_weights = self.discriminator.trainable_weights, self.generator.trainable_weights

        with tf.GradientTape() as g_tape:
            fake = self.generator(z, training=True)
        with tf.GradientTape() as real_tape:
            on_real = self.verdicts(real, asked)
        with tf.GradientTape() as fake_tape:
            fake_tape.watch(fake)
            on_fake = self.verdicts(fake, asked)
        difference = tf.clip_by_value(on_real - on_fake, -FURTHEST, FURTHEST)
        slope = tf.sigmoid(-difference) / tf.cast(count, tf.float32)  # of L_D in the verdict on a drawn face
        d_gradients = real_tape.gradient(on_real, values(d_weights), -slope)
        *of_fake, image_gradient = fake_tape.gradient(on_fake, [*values(d_weights), fake], slope)
        d_gradients = [one + other for one, other in zip(d_gradients, of_fake, strict=True)]
        image_gradient *= -tf.exp(difference)[:, None, None, None]
        of_teacher: dict[str, tf.Tensor] = {}
        if self.distillation is not None:
            image_gradient, of_teacher = self.distillation.pulled(image_gradient, fake, z, draws.step)
        g_gradients = g_tape.gradient(fake, values(g_weights), image_gradient)

        of_penalties = self.penalties(real, fake, asked, draws.step)
        d_gradients = [one + more for one, more in zip(d_gradients, of_penalties, strict=True)]

        # Optimisers add up the gradients of the replicas; the loss is the mean over the whole batch.
        share = 1.0 / replicas()[0]
        d_gradients = [share * gradient for gradient in d_gradients]
        g_gradients = [share * gradient for gradient in g_gradients]
        self.optimizers["adam_d"].apply(d_gradients, d_weights)
        self.optimizers["adam_g"].apply(g_gradients, g_weights)
        loss_d, loss_g = losses(difference)
        return {
            "loss_d": loss_d,
            "loss_g": loss_g,
            "right": tf.reduce_mean(tf.cast(difference > 0, tf.float32)),
            **{name: tf.convert_to_tensor(variable.value) for name, variable in self.slopes.items()},
            "norm_d": tf.linalg.global_norm(d_gradients) / share,  # of each device's own part
            "norm_g": tf.linalg.global_norm(g_gradients) / share,
            **of_teacher,
        }

    def verdicts(self, images: tf.Tensor, asked: tf.Tensor | None) -> tf.Tensor:
        """What D says of images for which this was asked."""
        return self.discriminator(images if asked is None else [images, asked], training=True)

    def penalties(self, real: tf.Tensor, fake: tf.Tensor, asked: tf.Tensor | None, step: tf.Tensor) -> list[tf.Tensor]:
        """The gradients of R1 and R2 for D's weights in this step; the slopes that were seen are kept."""
        total: list[tf.Tensor] = []
        for name, images, turn in (("slope_real", real, 0), ("slope_fake", fake, self.every // 2)):
            due = tf.equal(tf.cast(step, tf.int32) % self.every, turn)
            squared, *gradients = self._penalty(due, tf.stop_gradient(images), asked)
            total = [one + more for one, more in zip(total, gradients, strict=True)] if total else gradients
            self.slopes[name].assign(tf.where(due, mean_over_replicas(squared), self.slopes[name].value))
        return total

    def _penalty(self, due: tf.Tensor, images: tf.Tensor, asked: tf.Tensor | None) -> list[tf.Tensor]:
        """E |grad D|^2 over the images, and the gradients of (gamma / 2) times that for D's weights, with the weight of
        the steps between; zeros where it is not due."""
        weights = self.discriminator.trainable_weights

        def looked() -> list[tf.Tensor]:
            with tf.GradientTape() as outer:
                with tf.GradientTape() as inner:
                    inner.watch(images)
                    verdicts = self.verdicts(images, asked)
                slopes = inner.gradient(verdicts, images)
                squared = tf.reduce_mean(tf.reduce_sum(tf.square(slopes), [1, 2, 3]))
                penalty = self.gamma / 2 * self.every * squared
            gradients = outer.gradient(penalty, values(weights), unconnected_gradients="zero")
            return [squared, *gradients]

        def left_out() -> list[tf.Tensor]:
            return [tf.constant(0.0), *(tf.zeros_like(weight.value) for weight in weights)]

        return looked() if self.every == 1 else tf.cond(due, looked, left_out)
