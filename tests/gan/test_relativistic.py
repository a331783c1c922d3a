"""The relativistic step against its formulas, and what its family says."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf

from lmedge.block import Block
from lmedge.errors import UsageError
from lmedge.gan.draws import Draws
from lmedge.gan.families.relativistic.gan import Relativistic
from lmedge.gan.families.relativistic.networks import build_discriminator, build_generator
from lmedge.gan.families.relativistic.options import RelativisticConfig
from lmedge.gan.families.relativistic.prior import shape_block
from lmedge.gan.families.relativistic.teacher import Teacher
from lmedge.gan.gan import Batch
from lmedge.gan.step import Step
from lmedge.latent import LatentSpec
from lmedge.mixture import Mixture
from lmedge.scheme import IBUG49
from lmedge.shapes import ShapeSpace

SQUARE = ShapeSpace((0.2, 0.3, 0.8, 0.3, 0.5, 0.7), ((0.3, 0.0, 0.3, 0.0, 0.3, 0.0), (0.0, 0.1, 0.0, -0.2, 0.0, 0.1)))
NORMAL = Mixture((1.0,), ((0.0, 0.0),), ((0.25, 0.0, 0.25),))
LATENT = LatentSpec((Block("person", 6), Block("shape", 2, "mixture", mixture=NORMAL, shapes=SQUARE)))
EVERY = 4


def options(**more):
    more = {"width": 8, "latent": 6, "seed": 3, "learning_rate": 1e-3, "precision": "float32", "gamma": 0.3,
            "penalty_every": EVERY, "mirror": False, "batch": 4, **more}  # fmt: skip
    return RelativisticConfig(dataset=Path("faces"), run=Path("run"), **more)


def tiny_step(place=None, latent=LATENT, taught=False, **more):
    """Faces of 16 pixels with three landmarks; a teacher that draws others where they are `taught`."""
    config = options(**more)
    place = place or tf.distribute.get_strategy()
    keras.utils.set_random_seed(4)
    with place.scope():
        networks = build_generator(16, 16, latent), build_discriminator(16, 8, latent)
        keras.utils.set_random_seed(3)
        gan = Relativistic(config, 16, latent, Teacher(*networks, 8) if taught else None)
    return Step(gan, latent, config, place, (1, 0, 2))


def faces(seed, count=4):
    """Images and landmarks in pixels, some of them further away than any shape of the block."""
    random = np.random.default_rng(seed)
    images = random.integers(0, 256, (count, 16, 16, 3)).astype(np.uint8)
    landmarks = np.array(SQUARE.mean).reshape(3, 2) * 16 - 0.5 + random.normal(0, 5, (count, 3, 2))
    return tf.constant(images), tf.constant(landmarks.astype(np.float32))


def softplus(x):
    return tf.math.log1p(tf.exp(x))


def plain_steps(gan, batches):
    """The same training as R3GAN's paper has it: each loss with a backward pass of its own, and both penalties."""
    g, d = gan.generator, gan.discriminator
    adam = [keras.optimizers.Adam(1e-3, beta_1=0.0, beta_2=0.99) for _ in range(2)]
    logs = []
    for step, (images, landmarks) in enumerate(batches):
        real = tf.cast(images, tf.float32) / 127.5 - 1
        shape = SQUARE.latents((landmarks.numpy() + 0.5) / 16)
        shape = tf.constant(np.clip(shape, -1, 1))
        person = Draws(LATENT, 3, tf.constant(step)).latents(len(shape))[:, :6]
        z = np.concatenate([person, shape], axis=1)
        with tf.GradientTape(persistent=True) as tape:
            fake = g(z)
            difference = d([real, shape]) - d([fake, shape])
            loss_d, loss_g = tf.reduce_mean(softplus(-difference)), tf.reduce_mean(softplus(difference))
            for image, turn in ((real, 0), (tf.stop_gradient(fake), EVERY // 2)):
                with tf.GradientTape() as inner:
                    inner.watch(image)
                    verdicts = tf.reduce_sum(d([image, shape]))
                slopes = inner.gradient(verdicts, image)
                if step % EVERY == turn:
                    loss_d += EVERY * 0.3 / 2 * tf.reduce_mean(tf.reduce_sum(slopes**2, [1, 2, 3]))
        d_gradients = tape.gradient(loss_d, [w.value for w in d.trainable_weights], unconnected_gradients="zero")
        g_gradients = tape.gradient(loss_g, [w.value for w in g.trainable_weights])
        adam[0].apply(d_gradients, d.trainable_weights)
        adam[1].apply(g_gradients, g.trainable_weights)
        right = float(tf.reduce_mean(tf.cast(difference > 0, tf.float32)))
        logs.append({"loss_g": float(loss_g), "right": right})
    return logs


def test_the_joint_step_equals_two_losses_with_passes_of_their_own():
    joint, plain = tiny_step(), tiny_step().gan
    batches = [faces(i) for i in range(6)]
    for batch, wanted in zip(batches, plain_steps(plain, batches), strict=True):
        figures = joint(batch)
        assert {name: figures[name] for name in wanted} == pytest.approx(wanted, rel=1e-3)
    for network in ("generator", "discriminator"):
        pairs = zip(getattr(joint.gan, network).get_weights(), getattr(plain, network).get_weights(), strict=True)
        # Adam's first steps are +-rate, whatever the gradient: where it is about 0, rounding decides the sign.
        apart = np.concatenate([np.abs(ours - theirs).ravel() for ours, theirs in pairs])
        assert np.quantile(apart, 0.99) < 2e-4 and apart.max() < 1.3e-2


class _Times(keras.layers.Layer):
    """`[B, ...]` times a weight, summed to `[B]` or repeated to an image of 1x1."""

    def __init__(self, start, image):
        super().__init__()
        self.start, self.image = start, image

    def build(self, shape):
        self.factor = self.add_weight(shape=(), initializer=keras.initializers.Constant(self.start))

    def call(self, x):
        if self.image:
            return keras.ops.reshape(keras.ops.repeat(x[:, :1], 3, axis=1), (-1, 1, 1, 3)) * self.factor
        return keras.ops.sum(x, axis=(1, 2, 3)) * self.factor


def test_a_network_of_two_weights_moves_as_the_formula_says():
    """G(z) = a z, D(x) = b sum(x): d_i = b (sum x_i - 3 a z_i), and the slope of D is b everywhere."""
    a, b, gamma = 0.7, -0.4, 0.3
    latent = LatentSpec.uniform(1)
    gan = Relativistic(options(latent=1), 16, latent)
    z_in, x_in = keras.Input((1,)), keras.Input((1, 1, 3))
    gan.generator = keras.Model(z_in, _Times(a, True)(z_in))
    gan.discriminator = keras.Model(x_in, _Times(b, False)(x_in))
    gan.optimizers = {"adam_g": keras.optimizers.SGD(1.0), "adam_d": keras.optimizers.SGD(1.0)}
    x = np.random.default_rng(0).uniform(-1, 1, (5, 1, 1, 3)).astype(np.float32)
    draws = Draws(latent, 3, tf.constant(0))
    z = draws.latents(5).numpy()[:, 0]
    gan.learn(Batch(tf.constant(x), None), draws)

    sums = x.sum(axis=(1, 2, 3))
    d = b * (sums - 3 * a * z)
    sigmoid = 1 / (1 + np.exp(d))  # of -d
    slope_b = np.mean(-sigmoid * (sums - 3 * a * z)) + EVERY * gamma / 2 * 3 * 2 * b  # step 0: R1 and no R2
    slope_a = np.mean((1 - sigmoid) * -3 * b * z)
    assert float(gan.discriminator.get_weights()[0]) == pytest.approx(b - slope_b, rel=1e-4)
    assert float(gan.generator.get_weights()[0]) == pytest.approx(a - slope_a, rel=1e-4)
    assert float(gan.slopes["slope_real"]) == pytest.approx(3 * b * b, rel=1e-4)


def test_without_a_shape_block_landmarks_are_not_looked_at():
    latent = LatentSpec((Block("person", 6),))
    one, other = tiny_step(latent=latent), tiny_step(latent=latent)
    images, landmarks = faces(0)
    assert one((images, landmarks)) == other((images, landmarks + 3))
    assert len(one.gan.discriminator.inputs) == 1


def test_faces_are_asked_for_by_the_landmarks_of_their_partners():
    """What G and D are given is the shape of each real face, inside of the bounds."""
    step, landmarks = tiny_step(), faces(1, 32)[1]
    shape = step.gan.asked(Batch(None, (landmarks + 0.5) / 16)).numpy()
    mean, axes = np.array(SQUARE.mean), np.array(SQUARE.axes)
    wanted, *_ = np.linalg.lstsq(axes.T, (((landmarks.numpy() + 0.5) / 16).reshape(32, 6) - mean).T, rcond=None)
    assert shape == pytest.approx(np.clip(wanted.T, -1, 1), abs=1e-4) and (np.abs(shape) == 1).any()


TWO_DEVICES = """
import numpy as np, tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from tests.gan.test_relativistic import faces, tiny_step
losses = []
for place in (tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]), tf.distribute.get_strategy()):
    step = tiny_step(place, taught=True, kimg=0.02)
    data = tf.data.Dataset.from_tensor_slices(faces(0, 24)).batch(8, drop_remainder=True).repeat(2)
    seen = [step(batch) for batch in place.experimental_distribute_dataset(data)]
    losses.append([[figures[name] for name in (
        "loss_d", "loss_g", "right", "slope_real", "slope_fake", "from_teacher", "features_from_teacher")]
                   for figures in seen])
np.testing.assert_allclose(losses[0], losses[1], rtol=5e-3, atol=2e-5)
print("same", place.num_replicas_in_sync)
"""


def test_two_devices_train_as_one_with_the_whole_batch():
    done = subprocess.run([sys.executable, "-c", TWO_DEVICES], capture_output=True, text=True, check=False)
    assert done.stdout.startswith("same"), done.stderr[-2000:]


def test_faces_of_one_shape_are_refused_though_their_mirror_images_differ():
    landmarks = np.random.default_rng(0).uniform(4, 12, (1, IBUG49.count, 2)).astype(np.float32)
    faces = SimpleNamespace(landmarks=np.repeat(landmarks, 30, axis=0), size=16, scheme=IBUG49)
    with pytest.raises(UsageError, match="the same, so no face can be asked for by them; take --shape 0"):
        shape_block(faces, 4)


def test_a_step_in_bfloat16_says_nothing(capfd):
    """TensorFlow writes to the process's own stderr what it cannot do with a graph."""
    step = tiny_step(precision="mixed_bfloat16", width=16)
    step(faces(0))
    assert "failed" not in capfd.readouterr().err
