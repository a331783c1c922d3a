"""BEGAN (arXiv 1703.10717) as a Keras model with its own train step."""

from typing import Any

import keras
import tensorflow as tf

from lmedge.gan.networks import build_discriminator, build_generator


def reconstruction_loss(image: tf.Tensor, reconstruction: tf.Tensor) -> tf.Tensor:
    """L(v) = mean |v - D(v)| (BEGAN, section 3.1, eta 1), a scalar."""
    return tf.reduce_mean(tf.abs(image - reconstruction))


class Began(keras.Model):
    """Generator, discriminator, their equilibrium k, and the averaged generator.

    A batch is uint8 images `[B, size, size, 3]`. Everything random in a step is drawn from (seed, step), so
    a continued run draws what the whole run would have drawn.
    """

    def __init__(
        self,
        size: int,
        width: int,
        latent: int,
        gamma: float = 0.5,
        lambda_k: float = 1e-3,
        ema: float = 0.999,
        mirror: bool = True,
        dtype: str = "float32",
        seed: int = 0,
    ):
        super().__init__(name="began")
        self.latent, self.gamma, self.lambda_k, self.ema = latent, gamma, lambda_k, ema
        self.mirror, self.seed = mirror, seed
        keras.utils.set_random_seed(seed)
        self.generator = build_generator(size, width, latent, dtype)
        self.discriminator = build_discriminator(size, width, latent, dtype)
        self.ema_generator = build_generator(size, width, latent, dtype)
        self.ema_generator.set_weights(self.generator.get_weights())
        self.ema_generator.trainable = False
        self.k = self.add_weight(name="k", shape=(), initializer="zeros", trainable=False)
        self.step = self.add_weight(name="step", shape=(), initializer="zeros", dtype="int64", trainable=False)
        self.built = True  # or `fit` would call the model on a batch of images to build it
        self.d_optimizer: Any = None
        self.g_optimizer: Any = None

    def compile(self, learning_rate: float, **kwargs: Any) -> None:
        """Sets Adam (beta_1 0.5) for both networks. The discriminator's is the model's `optimizer`."""
        self.g_optimizer = keras.optimizers.Adam(learning_rate, beta_1=0.5, name="adam_g")
        self.d_optimizer = keras.optimizers.Adam(learning_rate, beta_1=0.5, name="adam_d")
        self.g_optimizer.build(self.generator.trainable_variables)
        self.d_optimizer.build(self.discriminator.trainable_variables)
        super().compile(optimizer=self.d_optimizer, **kwargs)

    def _maybe_symbolic_build(self, *args: Any, **kwargs: Any) -> None:
        """Nothing is left to build. Keras would draw a batch for it and average the bytes over all machines, which
        no collective op does."""

    def call(self, z: tf.Tensor) -> tf.Tensor:
        """Faces of the averaged generator: `[B, Z]` -> `[B, size, size, 3]`."""
        return self.ema_generator(z)

    def draw(self, batch: int | tf.Tensor, stream: int) -> tf.Tensor:
        """Uniform numbers in -1..1 for this step, `[batch, Z]`. Each replica takes its part of what one device
        would have drawn for the whole batch. XLA, and so a GPU, draws other numbers for the same seed."""
        replicas, replica = _replicas()
        seed = tf.stack([self.seed * 10 + stream, tf.cast(self.step.value, tf.int32)])
        whole = tf.random.stateless_uniform([replicas * batch, self.latent], seed, -1.0, 1.0)
        return whole[replica * batch : (replica + 1) * batch]

    def train_step(self, batch: tf.Tensor) -> dict[str, tf.Tensor]:
        """One joint step: L_D = L(x) - k L(G(z)), L_G = L(G(z)).

        The generated half passes through D once, forward and backward: one gradient of L(G(z)) with respect
        to D's weights (which L_D takes times -k) and to the image (which is pulled back through G).
        """
        real = tf.cast(batch, tf.float32) / 127.5 - 1.0  # (B, H, W, 3)
        count = tf.shape(real)[0]
        if self.mirror:
            flip = self.draw(count, 1)[:, 0, None, None, None] > 0
            real = tf.where(flip, tf.reverse(real, [2]), real)
        z = self.draw(count, 2)
        d_weights, g_weights = self.discriminator.trainable_weights, self.generator.trainable_weights

        with tf.GradientTape() as g_tape:
            fake = self.generator(z, training=True)
        with tf.GradientTape() as fake_tape:
            fake_tape.watch(fake)
            loss_fake = reconstruction_loss(fake, self.discriminator(fake, training=True))
        fake_gradients = fake_tape.gradient(loss_fake, [*_values(d_weights), fake])
        with tf.GradientTape() as real_tape:
            loss_real = reconstruction_loss(real, self.discriminator(real, training=True))
        real_gradients = real_tape.gradient(loss_real, _values(d_weights))
        g_gradients = g_tape.gradient(fake, _values(g_weights), output_gradients=fake_gradients.pop())

        k = tf.convert_to_tensor(self.k.value)
        # Keras adds up the gradients of the replicas; the loss is the mean over the whole batch.
        share = 1.0 / _replicas()[0]
        d_gradients = [share * (real - k * fake) for real, fake in zip(real_gradients, fake_gradients, strict=True)]
        g_gradients = [share * gradient for gradient in g_gradients]
        self.d_optimizer.apply(d_gradients, d_weights)
        self.g_optimizer.apply(g_gradients, g_weights)

        loss_real, loss_fake = _mean_over_replicas(loss_real), _mean_over_replicas(loss_fake)
        balance = self.gamma * loss_real - loss_fake
        self.k.assign(tf.clip_by_value(k + self.lambda_k * balance, 0.0, 1.0))
        # Early on the average would remember the random start: it is shorter then.
        step = tf.cast(self.step.value, tf.float32)
        keep = tf.minimum(self.ema, (1.0 + step) / (10.0 + step))
        for average, weight in zip(self.ema_generator.weights, self.generator.weights, strict=True):
            average.assign(weight + keep * (average - weight))
        self.step.assign_add(1)
        logs = {
            "loss_real": loss_real,
            "loss_fake": loss_fake,
            "norm_d": _mean_over_replicas(tf.linalg.global_norm(d_gradients) / share),  # of each device's own part
            "norm_g": _mean_over_replicas(tf.linalg.global_norm(g_gradients) / share),
            "k": tf.convert_to_tensor(self.k.value),
            "measure": loss_real + tf.abs(balance),  # M, the convergence measure (section 3.4)
        }
        if isinstance(tf.distribute.get_strategy(), tf.distribute.MultiWorkerMirroredStrategy):
            # Keras averages over the first axis there.
            return {name: value[None] for name, value in logs.items()}
        return logs


def _values(weights: list[Any]) -> list[Any]:
    return [weight.value for weight in weights]


def _replicas() -> tuple[int, Any]:
    """Number of replicas, and which of them this is."""
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return 1, 0
    return context.num_replicas_in_sync, tf.cast(context.replica_id_in_sync_group, tf.int32)


def _mean_over_replicas(value: tf.Tensor) -> tf.Tensor:
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return value
    return context.all_reduce(tf.distribute.ReduceOp.MEAN, value)
