"""Steps as the papers write them, with a backward pass for each loss: the joint ones are compared with them by
`scripts/bench_training`."""

from typing import Any

import tensorflow as tf

from lmedge.gan.draws import Draws
from lmedge.gan.families.began.gan import reconstruction_loss
from lmedge.gan.families.relativistic.gan import losses
from lmedge.gan.gan import Batch, Gan, values


def began(gan: Any, batch: Batch, draws: Draws) -> dict[str, tf.Tensor]:
    real = batch.images
    with tf.GradientTape() as d_tape, tf.GradientTape() as g_tape:
        fake = gan.generator(draws.latents(len(real)), training=True)
        loss_real = reconstruction_loss(real, gan.discriminator(real, training=True))
        loss_fake = reconstruction_loss(fake, gan.discriminator(fake, training=True))
        loss = loss_real - gan.k.value * loss_fake
    _apply(gan, "adam_d", gan.discriminator, d_tape, loss)
    _apply(gan, "adam_g", gan.generator, g_tape, loss_fake)
    return {"loss": loss}


def relativistic(gan: Any, batch: Batch, draws: Draws) -> dict[str, tf.Tensor]:
    real, shape = batch.images, gan.asked(batch)
    with tf.GradientTape() as d_tape, tf.GradientTape() as g_tape:
        fake = gan.generator(gan.latents(draws, len(real), shape), training=True)
        difference = gan.verdicts(real, shape) - gan.verdicts(fake, shape)
        loss_d, loss_g = losses(difference)
    penalties = gan.penalties(real, fake, shape, draws.step)
    _apply(gan, "adam_d", gan.discriminator, d_tape, loss_d, penalties)
    _apply(gan, "adam_g", gan.generator, g_tape, loss_g)
    return {"loss": loss_d}


def _apply(gan: Gan, name: str, network: Any, tape: tf.GradientTape, loss: tf.Tensor, more: Any = None) -> None:
    weights = network.trainable_weights
    gradients = tape.gradient(loss, values(weights))
    if more is not None:
        gradients = [one + other for one, other in zip(gradients, more, strict=True)]
    gan.optimizers[name].apply(gradients, weights)


LEARN = {"began": began, "relativistic": relativistic}
