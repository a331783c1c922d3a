"""The detector's network and its training."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from lmedge.detector.diet import Diet, LabelledFaces
from lmedge.errors import LmedgeError
from lmedge.landmarks import in_pixels, normalised
from lmedge.lgen.network import UNIT, Loss, distance

PATCH, FIRST = 4, 32  # pixels and filters of the first convolution: patches are four times as fast as two strides of 2
FILTERS, HIDDEN = (64, 96), 128
LEARNING_RATE = 2e-3  # Adam's at the start; falls along a cosine to 0
BATCH = 32
STEPS_A_LOOK = 100
STEPS_A_ROUND = 100  # after which generated faces that are made for the detector are renewed


@dataclass(frozen=True)
class Learner:
    """A detector while it learns. `network`: images `[B, size, size, 3]`, 0..255 -> `[B, 2K]`, how far normalised
    landmarks are from the `mean` face `[2K]`, in units; `loss(wanted, found)` `[B, 2K]` -> `[B]`."""

    network: Any
    mean: NDArray[np.float32]
    loss: Loss

    def wanted(self, landmarks: Any) -> Any:
        """What it should find where normalised landmarks `[B, K, 2]` are."""
        return (landmarks.reshape(len(landmarks), -1) - self.mean) / UNIT


Renew = Callable[[int, Learner], LabelledFaces]  # (steps so far, the detector) -> the generated faces of the next ones


def build_detector(size: int, points: int) -> Any:
    """image `[B, size, size, 3]`, 0..255 -> normalised landmarks `[B, K, 2]`.

    A 4x4 convolution with stride 4, then per resolution a 3x3 convolution with stride 2 and one more (ELU), a dense
    layer, and a linear one.
    """
    layers = keras.layers
    image = keras.Input((size, size, 3), name="image")
    x = layers.Rescaling(1 / 127.5, -1.0, name="scaled")(image)
    x = layers.Conv2D(FIRST, PATCH, strides=PATCH, activation="elu", name="patches")(x)
    for i, filters in enumerate(FILTERS, 1):
        x = layers.Conv2D(filters, 3, strides=2, padding="same", activation="elu", name=f"down_{i}")(x)
        x = layers.Conv2D(filters, 3, padding="same", activation="elu", name=f"conv_{i}")(x)
    x = layers.Dense(HIDDEN, activation="elu", name="hidden")(layers.Flatten(name="flat")(x))
    x = layers.Dense(2 * points, name="points")(x)
    return keras.Model(image, layers.Reshape((points, 2), name="landmarks")(x), name="detector")


def fit(
    diet: Diet, steps: int, seed: int, advance: Callable[..., None], learning_rate: float = LEARNING_RATE,
    renew: Renew | None = None,
) -> Any:  # fmt: skip
    """A detector, trained for `steps` batches of `BATCH` faces; the loss is the mean distance of the points. `renew`
    makes the generated faces anew before every `STEPS_A_ROUND` steps. Raises LmedgeError for a loss that is not
    finite."""
    keras.utils.set_random_seed(seed)
    size, mean = diet.faces.images.shape[1], diet.mean_face().ravel()
    network = build_detector(size, len(mean) // 2)
    flat = keras.Model(network.input, network.get_layer("points").output)
    optimizer = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(learning_rate, steps))
    optimizer.build(flat.trainable_variables)
    variables = [variable.value for variable in flat.trainable_variables]
    learner = Learner(flat, mean, distance(len(mean) // 2))

    @tf.function(autograph=False)
    def step(images: tf.Tensor, true: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            error = tf.reduce_mean(learner.loss(true, flat(tf.cast(images, tf.float32), training=True)))
        optimizer.apply(tape.gradient(error, variables), flat.trainable_variables)
        return error

    for number, faces in enumerate(_batches(diet, steps, seed, learner, renew), 1):
        marks = learner.wanted(normalised(faces.landmarks, size, size))
        error = step(tf.constant(faces.images), tf.constant(marks.astype(np.float32)))
        if number % STEPS_A_LOOK == 0 or number == steps:
            if not np.isfinite(error):
                raise LmedgeError(f"the loss of the detector is not finite at step {number}; lower its learning rate.")
            advance(number % STEPS_A_LOOK or STEPS_A_LOOK, f"loss {float(error):.3f}")
    # The network learnt deviations from the mean face, in units; from here on it gives landmarks.
    kernel, bias = network.get_layer("points").get_weights()
    network.get_layer("points").set_weights([kernel * UNIT, bias * UNIT + mean])
    return network


def _batches(diet: Diet, steps: int, seed: int, learner: Learner, renew: Renew | None) -> Iterator[LabelledFaces]:
    """All of a training. A round is made when the last one is learnt from, so that it depends on nothing else."""
    if renew is None:
        yield from _ahead(diet.batches(steps, BATCH, seed))
        return
    for first in range(0, steps, STEPS_A_ROUND):
        served = replace(diet, synthetic=renew(first, learner))
        yield from _ahead(served.batches(min(STEPS_A_ROUND, steps - first), BATCH, seed, first))


def _ahead(batches: Iterator[LabelledFaces]) -> Iterator[LabelledFaces]:
    """The same, each made in a thread while the one before is learnt from."""
    with ThreadPoolExecutor(1) as thread:
        coming = thread.submit(next, batches, None)
        while (batch := coming.result()) is not None:
            coming = thread.submit(next, batches, None)
            yield batch


def detect(network: Any, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Landmarks `[N, K, 2]` in pixels of faces `[N, size, size, 3]`."""
    size = images.shape[1]
    found = [
        np.asarray(network(images[i : i + 256].astype(np.float32), training=False)) for i in range(0, len(images), 256)
    ]
    return in_pixels(np.concatenate(found), size, size)
