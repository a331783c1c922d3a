"""The networks of a BEGAN (arXiv 1703.10717), their equilibrium, and its step."""

from typing import Any

import keras
import tensorflow as tf

from lmedge.gan.draws import Draws
from lmedge.gan.families.began.networks import build_discriminator, build_generator
from lmedge.gan.families.began.options import BeganConfig
from lmedge.gan.gan import Batch, Gan, values
from lmedge.gan.replicas import mean_over_replicas, replicas


def reconstruction_loss(image: tf.Tensor, reconstruction: tf.Tensor) -> tf.Tensor:
    """L(v) = mean |v - D(v)| (BEGAN, section 3.1, eta 1), a scalar."""
    return tf.reduce_mean(tf.abs(image - reconstruction))


class Began(Gan):
    """Generator, discriminator, and their equilibrium k. Adam (beta_1 0.5) for both."""

    def __init__(self, config: BeganConfig, size: int):
        assert config.width and config.latent and config.learning_rate is not None
        self.gamma, self.lambda_k = config.gamma, config.lambda_k
        self.generator = build_generator(size, config.width, config.latent, config.precision)
        self.discriminator = build_discriminator(size, config.width, config.latent, config.precision)
        self.k = keras.Variable(0.0, trainable=False, name="k")
        self.optimizers = {}
        for name, network in (("adam_g", self.generator), ("adam_d", self.discriminator)):
            self.optimizers[name] = keras.optimizers.Adam(config.learning_rate, beta_1=0.5, name=name)
            self.optimizers[name].build(network.trainable_variables)

    def variables(self) -> dict[str, list[Any]]:
        return {"discriminator": self.discriminator.weights, "k": [self.k]}

    def learn(self, batch: Batch, draws: Draws) -> dict[str, tf.Tensor]:
        """One joint step: L_D = L(x) - k L(G(z)), L_G = L(G(z)).

        The generated half passes through D once, forward and backward: one gradient of L(G(z)) with respect
        to D's weights (which L_D takes times -k) and to the image (which is pulled back through G).
        """
        real = batch.images
        z = draws.latents(tf.shape(real)[0])
        d_weights, g_weights = self.discriminator.trainable_weights, self.generator.trainable_weights

        with tf.GradientTape() as g_tape:
            fake = self.generator(z, training=True)
        with tf.GradientTape() as fake_tape:
            fake_tape.watch(fake)
            loss_fake = reconstruction_loss(fake, self.discriminator(fake, training=True))
        fake_gradients = fake_tape.gradient(loss_fake, [*values(d_weights), fake])
        with tf.GradientTape() as real_tape:
            loss_real = reconstruction_loss(real, self.discriminator(real, training=True))
        real_gradients = real_tape.gradient(loss_real, values(d_weights))
        g_gradients = g_tape.gradient(fake, values(g_weights), output_gradients=fake_gradients.pop())

        k = tf.convert_to_tensor(self.k.value)
        # Optimisers add up the gradients of the replicas; the loss is the mean over the whole batch.
        share = 1.0 / replicas()[0]
        d_gradients = [share * (real - k * fake) for real, fake in zip(real_gradients, fake_gradients, strict=True)]
        g_gradients = [share * gradient for gradient in g_gradients]
        self.optimizers["adam_d"].apply(d_gradients, d_weights)
        self.optimizers["adam_g"].apply(g_gradients, g_weights)

        loss_real, loss_fake = mean_over_replicas(loss_real), mean_over_replicas(loss_fake)
        balance = self.gamma * loss_real - loss_fake
        self.k.assign(tf.clip_by_value(k + self.lambda_k * balance, 0.0, 1.0))
        return {
            "loss_real": loss_real,
            "loss_fake": loss_fake,
            "norm_d": tf.linalg.global_norm(d_gradients) / share,  # of each device's own part
            "norm_g": tf.linalg.global_norm(g_gradients) / share,
            "k": tf.convert_to_tensor(self.k.value),
            "measure": loss_real + tf.abs(balance),  # M, the convergence measure (section 3.4)
        }
