"""The network that says what a face shows: its layers, its training, and what makes its answers probabilities."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from lmedge.attributes.options import TrainAttributesConfig
from lmedge.errors import LmedgeError

FILTERS, MOST_FILTERS, LAST_SIDE = 24, 96, 4  # more with every halving of the side, until 4 pixels are left
DROPOUT, DECAY = 0.3, 5e-4
SHIFT = 1 / 16  # of the side: most that a face is moved in a training
MOST_WEIGHT = 10.0  # of a rare answer against a usual one
STEPS_A_LOOK = 25
STRENGTH = 10.0  # of the evidence against a flat calibration, scikit-learn's C


@dataclass(frozen=True)
class Fit:
    """How the network is trained: `epochs` over all faces in steps of `batch`, AdamW at a `learning_rate` that falls
    along a cosine to 0."""

    epochs: int
    batch: int
    learning_rate: float
    seed: int

    @classmethod
    def of(cls, config: TrainAttributesConfig) -> "Fit":
        """As the options of `train-attributes` say."""
        return cls(config.epochs, config.batch, config.learning_rate, config.seed)


def build_network(size: int, count: int) -> Any:
    """Face `[B, size, size, 3]` in -1..1 -> probabilities `[B, count]`. 3x3 convolutions halve the side, and all but
    the first and the last of them are followed by one more; then each place has weights of its own, as a mouth is where
    mouths are."""
    layers = keras.layers
    image = keras.Input((size, size, 3), name="image")
    x, side, width = image, size, 0
    while side > LAST_SIDE:
        width, side = min(width + FILTERS, MOST_FILTERS), side // 2
        for strides in (2, 1) if x is not image and side > LAST_SIDE else (2,):
            x = layers.Conv2D(width, 3, strides, padding="same", use_bias=False)(x)
            x = layers.LeakyReLU(0.2)(layers.BatchNormalization()(x))
    x = layers.Flatten()(layers.DepthwiseConv2D(side, depth_multiplier=2)(x))
    x = layers.Dense(count, name="logits")(layers.Dropout(DROPOUT)(layers.LeakyReLU(0.2)(x)))
    return keras.Model(image, layers.Activation("sigmoid", name="probabilities")(x), name="attributes")


def logits_of(network: Any) -> Any:
    """The network without its last step: `[B, A]` of any size."""
    return keras.Model(network.input, network.get_layer("logits").output)


def weights_of(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """What each of the values `[N, A]` counts: 0 where it is unknown, and the two answers to an attribute the same in
    sum, unless one of them is very rare."""
    yes, no = values > 0, values < 0
    known = np.maximum(yes.sum(axis=0) + no.sum(axis=0), 1)
    of_yes, of_no = (np.minimum(known / np.maximum(2 * answer.sum(axis=0), 1), MOST_WEIGHT) for answer in (yes, no))
    return np.select([yes, no], [np.broadcast_to(of_yes, yes.shape), np.broadcast_to(of_no, no.shape)], 0.0).astype(
        np.float32
    )


def fit_network(fit: Fit, images: NDArray[np.uint8], values: NDArray[np.float32], advance: Callable[..., None]) -> Any:
    """The network, trained on faces `[N, size, size, 3]` with the values of their attributes `[N, A]`; `advance` hears
    of every face. Raises LmedgeError for a loss that is not finite."""
    keras.utils.set_random_seed(fit.seed)
    network = build_network(images.shape[1], values.shape[1])
    training, batch = logits_of(network), min(fit.batch, len(images))
    steps = fit.epochs * (len(images) // batch)
    rate = keras.optimizers.schedules.CosineDecay(fit.learning_rate, steps)
    optimizer = keras.optimizers.AdamW(rate, weight_decay=DECAY)
    optimizer.build(training.trainable_variables)
    variables = [variable.value for variable in training.trainable_variables]

    @tf.function(autograph=False)
    def step(faces: tf.Tensor, wanted: tf.Tensor, weight: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            loss = tf.nn.sigmoid_cross_entropy_with_logits(wanted, training(_changed(faces), training=True))
            loss = tf.reduce_sum(weight * loss) / tf.maximum(tf.reduce_sum(weight), 1.0)
        optimizer.apply(tape.gradient(loss, variables), training.trainable_variables)
        return loss

    wanted, weights = np.nan_to_num((values + 1) / 2), weights_of(values)
    random, told = np.random.default_rng(fit.seed), 0
    for epoch in range(fit.epochs):
        order = random.permutation(len(images))
        for first in range(0, len(order) - batch + 1, batch):
            some = order[first : first + batch]
            loss = step(tf.constant(images[some]), tf.constant(wanted[some]), tf.constant(weights[some]))
            told += 1
            if told % STEPS_A_LOOK == 0 or told == steps:
                if not np.isfinite(loss):
                    raise LmedgeError(f"the loss is not finite in epoch {epoch + 1}; lower --learning-rate.")
                advance((told % STEPS_A_LOOK or STEPS_A_LOOK) * batch, f"loss {float(loss):.3f}")
    return network


def _changed(faces: tf.Tensor) -> tf.Tensor:
    """Faces uint8 `[B, S, S, 3]` in -1..1, moved by up to SHIFT, and each perhaps mirrored: what they show stays."""
    x = tf.image.random_flip_left_right(tf.cast(faces, tf.float32) / 127.5 - 1.0)
    size = faces.shape[1]
    border = max(1, round(SHIFT * size))
    x = tf.pad(x, [[0, 0], [border, border], [border, border], [0, 0]], "SYMMETRIC")
    return tf.image.random_crop(x, [tf.shape(faces)[0], size, size, 3])


def calibration(logits: NDArray[np.float32], values: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
    """(scale, offset), each `[A]`, with which the logistic function of scale * logits + offset is the share of faces
    that have the attribute, fitted to logits `[N, A]` of faces that the network was not trained on, with values `[N,
    A]`: Platt scaling (1999), which is temperature scaling (Guo et al., arXiv 1706.04599) and an offset, as answers
    were weighted in the training. An attribute of one answer only keeps its logits."""
    from sklearn.linear_model import LogisticRegression  # here, as it takes a second

    scale, offset = np.ones(logits.shape[1], np.float32), np.zeros(logits.shape[1], np.float32)
    for i in range(logits.shape[1]):
        known = ~np.isnan(values[:, i])
        wanted = values[known, i] > 0
        if wanted.any() and not wanted.all():
            fitted = LogisticRegression(C=STRENGTH).fit(logits[known, i : i + 1], wanted)
            scale[i], offset[i] = fitted.coef_[0, 0], fitted.intercept_[0]
    return scale, offset


def calibrated(network: Any, scale: NDArray[np.float32], offset: NDArray[np.float32], kept: NDArray[np.int64]) -> Any:
    """The network of the attributes `kept` alone, with probabilities in place of what it was trained to."""
    smaller = build_network(network.input_shape[1], len(kept))
    *weights, kernel, bias = network.get_weights()
    smaller.set_weights([*weights, (kernel * scale)[:, kept], (bias * scale + offset)[kept]])
    return smaller
