"""The detector's network and its training."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from lmedge.datasets.augment import Augmentation, augment
from lmedge.errors import LmedgeError
from lmedge.landmarks import in_pixels, normalised
from lmedge.lgen.network import UNIT, distance
from lmedge.scheme import Scheme

PATCH, FIRST = 4, 32  # pixels and filters of the first convolution: patches are four times as fast as two strides of 2
FILTERS, HIDDEN = (64, 96), 128
LEARNING_RATE = 2e-3  # Adam's at the start; falls along a cosine to 0
BATCH = 32
STEPS_A_LOOK = 100


@dataclass(frozen=True)
class LabelledFaces:
    """`images` uint8 `[N, size, size, 3]` and `landmarks` `[N, K, 2]` in pixels."""

    images: NDArray[np.uint8]
    landmarks: NDArray[np.float32]
    scheme: Scheme

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, part: NDArray[np.int64]) -> "LabelledFaces":
        return LabelledFaces(self.images[part], self.landmarks[part], self.scheme)


@dataclass(frozen=True)
class Diet:
    """What a training sees: faces of `real` and, in the share `synthetic_share` of every batch, of `synthetic`; changed
    as `how` says, or as they are."""

    real: LabelledFaces | None
    synthetic: LabelledFaces | None
    synthetic_share: float
    how: Augmentation | None

    def batches(self, steps: int, batch: int, seed: int) -> Iterator[LabelledFaces]:
        """The batches of a training, the same for the same seed."""
        random = np.random.default_rng(seed)
        for step in range(steps):
            made = random.binomial(batch, self.synthetic_share) if self.synthetic is not None else 0
            made = batch if self.real is None else made
            parts = [
                faces[random.integers(0, len(faces), number)]
                for faces, number in ((self.real, batch - made), (self.synthetic, made))
                if faces is not None and number
            ]
            images = np.concatenate([part.images for part in parts])
            marks = np.concatenate([part.landmarks for part in parts])
            if self.how is not None:
                images, marks = augment(images, marks, parts[0].scheme, self.how, seed, step * batch)
            yield LabelledFaces(images, marks, parts[0].scheme)

    def mean_face(self, size: int) -> NDArray[np.float32]:
        """Normalised, `[2K]`."""
        faces = self.real if self.real is not None else self.synthetic
        assert faces is not None
        return normalised(faces.landmarks, size, size).mean(axis=0).ravel()


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


def train_detector(
    diet: Diet, size: int, steps: int, seed: int, advance: Callable[..., None], learning_rate: float = LEARNING_RATE
) -> Any:
    """Trains a detector for `steps` batches of `BATCH` faces; the loss is the mean distance of the points. Raises
    LmedgeError for a loss that is not finite."""
    keras.utils.set_random_seed(seed)
    mean = diet.mean_face(size)
    network = build_detector(size, len(mean) // 2)
    flat = keras.Model(network.input, network.get_layer("points").output)
    optimizer = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(learning_rate, steps))
    optimizer.build(flat.trainable_variables)
    variables = [variable.value for variable in flat.trainable_variables]
    loss = distance(len(mean) // 2)

    @tf.function(autograph=False)
    def step(images: tf.Tensor, true: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            error = tf.reduce_mean(loss(true, flat(tf.cast(images, tf.float32), training=True)))
        optimizer.apply(tape.gradient(error, variables), flat.trainable_variables)
        return error

    for number, faces in enumerate(diet.batches(steps, BATCH, seed), 1):
        marks = (normalised(faces.landmarks, size, size).reshape(len(faces), -1) - mean) / UNIT
        error = step(tf.constant(faces.images), tf.constant(marks.astype(np.float32)))
        if number % STEPS_A_LOOK == 0 or number == steps:
            if not np.isfinite(error):
                raise LmedgeError(f"the loss of the detector is not finite at step {number}; lower its learning rate.")
            advance(number % STEPS_A_LOOK or STEPS_A_LOOK, f"loss {float(error):.3f}")
    # The network learnt deviations from the mean face, in units; from here on it gives landmarks.
    kernel, bias = network.get_layer("points").get_weights()
    network.get_layer("points").set_weights([kernel * UNIT, bias * UNIT + mean])
    return network


def detect(network: Any, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Landmarks `[N, K, 2]` in pixels of faces `[N, size, size, 3]`."""
    size = images.shape[1]
    found = [
        np.asarray(network(images[i : i + 256].astype(np.float32), training=False)) for i in range(0, len(images), 256)
    ]
    return in_pixels(np.concatenate(found), size, size)
