"""L-Gen and the network that says how sure it is: small dense networks on a latent."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from lmedge.errors import LmedgeError
from lmedge.latent import LatentSpec
from lmedge.lgen.faces import Faces
from lmedge.lgen.options import TrainLgenConfig

UNIT = 1 / 16  # of the side of a face: about how far landmarks lie from the mean face's
SMOOTH = 1e-4  # square of the distance, in units, below which it is not a corner
STEPS_A_LOOK = 250
CONFIDENCE_HIDDEN, CONFIDENCE_DROPOUT = (128, 128), 0.2
CONFIDENCE_STEPS = 0.5  # of L-Gen's
DRAWN_FACES = 4096  # latents that set the scale of the confidence
Loss = Callable[[Any, Any], Any]  # (true, predicted) `[B, N]` -> `[B]`
NORMAL = 1.702  # the logistic function of 1.702 x is within 0.01 of the normal distribution's


@dataclass(frozen=True)
class Fit:
    """How a network on latents is trained: `steps` of Adam on `batch` faces, at a `learning_rate` that falls along a
    cosine to 0. L-Gen's layers have `hidden` units, a share `dropout` of which is dropped meanwhile."""

    hidden: tuple[int, ...]
    steps: int
    batch: int
    learning_rate: float
    dropout: float
    seed: int

    @classmethod
    def of(cls, config: TrainLgenConfig) -> "Fit":
        """As the options of `train-lgen` say."""
        return cls(config.hidden, config.steps, config.batch, config.learning_rate, config.dropout, config.seed)


def build_lgen(latent: int, points: int, hidden: tuple[int, ...], dropout: float = 0.0) -> Any:
    """L-Gen: z `[B, Z]` -> normalised landmarks `[B, K, 2]`. Dense layers with ELU, the last one linear."""
    layers = keras.layers
    z = keras.Input((latent,), name="z")
    x = layers.Dense(2 * points, name="points")(_hidden(z, hidden, dropout))
    return keras.Model(z, layers.Reshape((points, 2), name="landmarks")(x), name="lgen")


def build_confidence(
    latent: int, hidden: tuple[int, ...] = CONFIDENCE_HIDDEN, dropout: float = 0.0, outputs: int = 1
) -> Any:
    """z `[B, Z]` -> confidence `[B, outputs]`, 0..1. Dense layers with ELU, then a logistic one."""
    z = keras.Input((latent,), name="z")
    x = keras.layers.Dense(outputs, activation="sigmoid", name="confidence")(_hidden(z, hidden, dropout))
    return keras.Model(z, x, name="confidence")


def _hidden(x: Any, hidden: tuple[int, ...], dropout: float) -> Any:
    for i, units in enumerate(hidden, 1):
        x = keras.layers.Dense(units, activation="elu", name=f"hidden_{i}")(x)
        if dropout:
            x = keras.layers.Dropout(dropout, name=f"dropout_{i}")(x)
    return x


def distance(points: int) -> Loss:
    """The mean distance of the points: what NME measures, where a squared error would go after the worst faces."""

    def loss(true: Any, predicted: Any) -> Any:
        apart = tf.reshape(predicted - true, [-1, points, 2])
        return tf.reduce_mean(tf.sqrt(tf.reduce_sum(tf.square(apart), axis=-1) + SMOOTH), axis=-1)

    return loss


def fit_lgen(
    fit: Fit, faces: Faces, advance: Callable[..., None], validate: Callable[[Any], float] | None,
    steps: int, loss: Loss | None = None,
) -> tuple[Any, int]:  # fmt: skip
    """L-Gen, trained on `faces` for `steps` of those of `fit`; with `validate` as it was at the step where that error
    was lowest. Returns it without dropout, and the step. Raises LmedgeError for a loss that is not finite."""
    keras.utils.set_random_seed(fit.seed)
    latent, points = faces.z.shape[1], faces.landmarks.shape[1]
    size = (latent, points, fit.hidden)
    training = build_lgen(*size, fit.dropout)
    flat = keras.Model(training.input, training.get_layer("points").output)
    mean = faces.landmarks.mean(axis=0).ravel()
    deviations = (faces.landmarks.reshape(len(faces), -1) - mean) / UNIT

    def plain() -> Any:
        network = build_lgen(*size)
        network.set_weights(training.get_weights())
        kernel, bias = network.get_layer("points").get_weights()
        network.get_layer("points").set_weights([kernel * UNIT, bias * UNIT + mean])
        return network

    best: tuple[float, int, Any] = (float("inf"), 0, None)
    for step in _steps(fit, flat, faces, deviations, loss or distance(points), steps):
        note = ""
        if validate:
            network = plain()
            error = validate(network)
            if error < best[0]:
                best = error, step, network
            note = f"validation NME {error:.2%}, best {best[0]:.2%}"
        advance(min(STEPS_A_LOOK, steps - (step - 1) // STEPS_A_LOOK * STEPS_A_LOOK), note)
    if validate is None:
        best = 0.0, steps, plain()
    return best[2], best[1]


def fit_confidence(
    fit: Fit, latent: LatentSpec, faces: Faces, errors: NDArray[np.float32], advance: Callable[..., None]
) -> Any:
    """A network that predicts the logarithm of L-Gen's error from the latent (compare Nix and Weigend 1994) and gives
    it as a confidence: about the share of the faces that `latent` draws on which L-Gen is expected to err more. With
    `errors` `[N, K]` of points, that of each point: about the share of all points of these faces that are expected to
    be further off. They must be those of networks that were not trained on the face."""
    keras.utils.set_random_seed(fit.seed)
    errors = errors.reshape(len(errors), -1)
    outputs = errors.shape[1]
    training = build_confidence(latent.size, dropout=CONFIDENCE_DROPOUT, outputs=outputs)
    logits = keras.Model(training.input, training.layers[-2].output)
    logits = keras.Sequential([logits, keras.layers.Dense(outputs)])
    wanted = np.log(np.maximum(errors, 1e-6))
    middle = wanted.mean(axis=0)
    steps = confidence_steps(fit)
    for step in _steps(fit, logits, faces, wanted - middle, squared, steps):
        advance(min(STEPS_A_LOOK, steps - (step - 1) // STEPS_A_LOOK * STEPS_A_LOOK), "confidence")
    usual = np.asarray(logits(latent.draw(DRAWN_FACES, fit.seed))) + middle
    scale = -NORMAL / max(float(usual.std()), 1e-6)
    *weights, kernel, bias = logits.get_weights()
    network = build_confidence(latent.size, outputs=outputs)
    network.set_weights([*weights, kernel * scale, (bias + middle - usual.mean()) * scale])
    return network


def confidence_steps(fit: Fit) -> int:
    """Steps of the training of the confidence beside an L-Gen's."""
    return max(1, round(CONFIDENCE_STEPS * fit.steps))


def squared(true: Any, predicted: Any) -> Any:
    """The mean squared error of each face."""
    return tf.reduce_mean(tf.square(predicted - true), axis=-1)


def _steps(fit: Fit, network: Any, faces: Faces, wanted: NDArray[Any], loss: Loss, steps: int) -> Iterator[int]:
    """Trains, and yields the step after every few. Raises LmedgeError for a loss that is not finite."""
    weights = np.ones(len(faces), np.float32) if faces.weights is None else faces.weights
    # The rate falls over the whole plan even where fewer steps are run, so that a refit repeats the fit.
    rate = keras.optimizers.schedules.CosineDecay(fit.learning_rate, max(steps, fit.steps))
    optimizer = keras.optimizers.Adam(rate)
    optimizer.build(network.trainable_variables)
    variables = [variable.value for variable in network.trainable_variables]

    @tf.function(autograph=False)
    def step(z: tf.Tensor, true: tf.Tensor, weight: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            error = tf.reduce_mean(weight * loss(true, network(z, training=True)))
        optimizer.apply(tape.gradient(error, variables), network.trainable_variables)
        return error

    data = tf.data.Dataset.from_tensor_slices((faces.z, wanted.astype(np.float32), weights))
    data = data.shuffle(len(faces), fit.seed).repeat().batch(min(fit.batch, len(faces)), drop_remainder=True)
    for number, batch in enumerate(data.take(steps).prefetch(4), 1):
        error = step(*batch)
        if number % STEPS_A_LOOK == 0 or number == steps:
            if not np.isfinite(error):
                raise LmedgeError(f"the loss of L-Gen is not finite at step {number}; lower --learning-rate.")
            yield number
