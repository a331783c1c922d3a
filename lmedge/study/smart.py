"""Smart Augmentation (Lemley, Bazrafkan, Corcoran 2017, arXiv 1703.08383): a network A learns, beside the detector B,
to mix two samples so that B gains by them.

Here A mixes latents, and the frozen generator draws. The paper's A learns from two losses, weighted by alpha and beta:
the distance of what it mixes to another sample of the same class, which keeps it from collapsing, and B's loss, which
reaches it through the image. Landmarks have no classes, and of a third face two others tell no more than the mean one,
to which A would collapse; so what it has to stay near to is the point between the two that it was asked for. And what
B makes of A's image says what is easy for B; so B's loss is that on real faces after B has taken a step on the mixed
ones (as Ren et al. 2018, arXiv 1803.09050, learn the weights of samples). The weights and all other values are ours.
"""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from lmedge.detector.diet import Diet, LabelledFaces
from lmedge.detector.network import BATCH, Learner
from lmedge.keras_model import KerasFaceModel
from lmedge.landmarks import normalised
from lmedge.latent import LatentSpec
from lmedge.lgen.network import UNIT
from lmedge.study.mixing import POOL, SPARE, Mixing, Pairs

HIDDEN = 64
LEARNING_RATE = 1e-2  # A's, of Adam
STEP = 0.1  # of B, in gradient descent, on the mixed faces: after it its loss on real ones is looked at
MIXED = 16  # faces of such a step
STEPS = 5  # of A before each round of B's
Losses = tuple[tf.Tensor, tf.Tensor]


def build_mixer(latent: LatentSpec, seed: int) -> Any:
    """A: two latents and the share, `[B, 2 Z + 1]` -> `[B, Z]`, by how many units of the latent what it mixes lies off
    the straight line. Nothing at first: then it interpolates."""
    layers, start = keras.layers, keras.initializers.GlorotUniform(seed)
    asked = keras.Input((2 * latent.size + 1,), name="asked")
    x = layers.Dense(HIDDEN, activation="elu", kernel_initializer=start, name="hidden")(asked)
    return keras.Model(asked, layers.Dense(latent.size, kernel_initializer="zeros", name="moves")(x), name="mixer")


def mixed(mixer: Any, latent: LatentSpec, pairs: Pairs) -> tuple[tf.Tensor, tf.Tensor]:
    """What A makes of pairs, inside of the bounds, and how far that is off the line in units of the latent: two
    `[B, Z]`."""
    between = pairs.first + pairs.share * (pairs.second - pairs.first)
    moves = mixer(tf.concat([pairs.first, pairs.second, pairs.share], axis=1))
    z = tf.clip_by_value(between + latent.unit * moves, latent.low, latent.high)
    return z, (z - between) / latent.unit


def smart_losses(
    moves: tf.Tensor, images: tf.Tensor, wanted: tf.Tensor, learner: Learner, real: tf.Tensor, marks: tf.Tensor
) -> Losses:
    """The mean squared distance of mixed latents to where they were asked for (`moves` `[B, Z]`, in units), and the
    loss of B on `real` faces with `marks` after a step of gradient descent on the mixed `images` with `wanted`. Images
    `[B, size, size, 3]`, 0..255; landmarks as the learner has them, `[B, 2K]`."""
    weights = [variable.value for variable in learner.network.trainable_variables]

    def loss(weights: list[Any], images: tf.Tensor, marks: tf.Tensor) -> tf.Tensor:
        found, _ = learner.network.stateless_call(weights, [], images)
        return tf.reduce_mean(learner.loss(marks, found))

    weights = [tf.identity(weight) for weight in weights]
    with tf.GradientTape() as tape:
        tape.watch(weights)
        error = loss(weights, images, wanted)
    ahead = [w - STEP * g for w, g in zip(weights, tape.gradient(error, weights), strict=True)]
    return tf.reduce_mean(tf.square(moves)), loss(ahead, real, marks)


def teaching(
    mixer: Any, model: KerasFaceModel, learner: Learner, alpha: float, beta: float
) -> Callable[[Pairs, Any, Any, Any], Losses]:
    """A step of A by `alpha` times the one and `beta` times the other of `smart_losses`, which it returns as they were
    before. Takes pairs, by how much the style moves their landmarks (normalised, `[B, K, 2]`), real faces uint8
    `[N, size, size, 3]`, and what the learner should find on these `[N, 2K]`."""
    optimizer = keras.optimizers.Adam(LEARNING_RATE)
    optimizer.build(mixer.trainable_variables)
    variables = [variable.value for variable in mixer.trainable_variables]

    @tf.function(autograph=False)
    def step(first: tf.Tensor, second: tf.Tensor, share: tf.Tensor, styled: tf.Tensor, real: tf.Tensor,
             marks: tf.Tensor) -> Losses:  # fmt: skip
        with tf.GradientTape() as tape:
            z, moves = mixed(mixer, model.latent, Pairs(first, second, share))
            images = (tf.clip_by_value(model.generator.network(z, training=False), -1, 1) + 1) * 127.5
            points = tf.reshape(model.lgen(z, training=False) + styled, (first.shape[0], -1))
            wanted = (points - learner.mean) / UNIT
            distance, loss = smart_losses(moves, images, wanted, learner, tf.cast(real, tf.float32), marks)
            total = alpha * distance + beta * loss
        optimizer.apply(tape.gradient(total, variables), mixer.trainable_variables)
        return distance, loss

    def taught(pairs: Pairs, *others: Any) -> Losses:
        return step(*map(tf.constant, (pairs.first, pairs.second, pairs.share, *others)))

    return taught


class SmartMixer:
    """A, trained beside the detector of one training: `renew` is what its `fit` takes. `alpha` and `beta` weigh the two
    losses; the real faces of `diet` are those that B's loss is of. The same seed gives the same faces."""

    def __init__(self, mixing: Mixing, diet: Diet, seed: int, alpha: float, beta: float):
        self.mixing, self.diet, self.seed, self.weights = mixing, diet, seed, (alpha, beta)
        self.network = build_mixer(mixing.model.latent, seed)
        self._teach: Callable[..., Losses] | None = None

    def renew(self, first: int, learner: Learner) -> LabelledFaces:
        """Teaches A what B gains by, and mixes the faces of B's next round. Before B's first step there is nothing to
        learn from it."""
        random = np.random.default_rng((self.seed, first))
        if first:
            self._learn(first, learner, random)
        pairs = self.mixing.pairs(round(SPARE * POOL), random)
        return self.mixing.drawn(mixed(self.network, self.mixing.model.latent, pairs)[0].numpy())

    def _learn(self, first: int, learner: Learner, random: np.random.Generator) -> None:
        mixing, size = self.mixing, self.mixing.model.width
        teach = self._teach = self._teach or teaching(self.network, mixing.model, learner, *self.weights)
        for real in self.diet.batches(STEPS, BATCH, self.seed, first):
            pairs = mixing.pairs(MIXED, random)
            z = mixed(self.network, mixing.model.latent, pairs)[0].numpy()
            # The style is not differentiated: it moves landmarks of alike faces alike.
            styled = (mixing.landmarks(z) - mixing.model.landmarks(z)) / size
            marks = learner.wanted(normalised(real.landmarks, size, size)).astype(np.float32)
            teach(pairs, styled, real.images, marks)
