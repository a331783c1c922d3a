"""Features that know people: a network trained to tell the persons of a dataset apart. A distance in them sees what a
filter bank does not."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from lmedge.errors import UsageError
from lmedge.faces.records import FaceDataset
from lmedge.judging.features import of_network
from lmedge.judging.verified import Verified
from lmedge.progress import progress

WIDTHS = (32, 64, 128, 192)  # filters, by resolution
FEATURES = 128
SCALE, MARGIN = 24.0, 0.2  # of the softmax over cosines
FACES_OF_ONE = 4  # that a person must have to be learnt
HELD_OUT = 0.1  # share of the persons
BATCH, RATE = 64, 2e-3
PAIRS = 6000


def build_network(size: int) -> Any:
    """Face `[B, size, size, 3]` in -1..1 -> features `[B, 128]` of length about sqrt(128)."""
    layers = keras.layers
    image = keras.Input((size, size, 3), name="image")
    x = image
    for i, width in enumerate(WIDTHS):
        for strides in (2, 1) if i else (2,):
            x = layers.Conv2D(width, 3, strides, padding="same", use_bias=False)(x)
            x = layers.LeakyReLU(0.2)(layers.BatchNormalization()(x))
    x = layers.Dropout(0.3)(layers.Flatten()(x))
    x = layers.UnitNormalization()(layers.Dense(FEATURES)(x))
    return keras.Model(image, layers.Rescaling(FEATURES**0.5)(x), name="identity")


def train_identity(dataset: FaceDataset, epochs: int, seed: int) -> tuple[Any, Verified]:
    """Trains a network on most persons of a dataset, with a softmax over cosines with a margin (CosFace, arXiv
    1801.09414), and verifies it on the others. Raises UsageError for a dataset of too few persons with several faces.
    """
    learnt, of, held_out = persons_of(dataset.groups, seed)
    keras.utils.set_random_seed(seed)
    network = build_network(dataset.size)
    persons = int(of.max()) + 1
    centres = keras.Variable(np.random.default_rng(seed).normal(size=(FEATURES, persons)).astype(np.float32))
    weights = [*network.trainable_variables, centres]
    steps = epochs * (len(learnt) // BATCH)
    optimizer = keras.optimizers.AdamW(keras.optimizers.schedules.CosineDecay(RATE, steps), weight_decay=5e-4)
    optimizer.build(weights)

    @tf.function(autograph=False)
    def step(images: tf.Tensor, person: tf.Tensor) -> tf.Tensor:
        x = tf.image.random_flip_left_right(tf.cast(images, tf.float32) / 127.5 - 1.0)
        with tf.GradientTape() as tape:
            cosines = network(x, training=True) / FEATURES**0.5 @ tf.math.l2_normalize(centres.value, 0)
            own = tf.one_hot(person, persons)
            loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(own, SCALE * (cosines - MARGIN * own)))
        optimizer.apply(tape.gradient(loss, [weight.value for weight in weights]), weights)
        return loss

    random = np.random.default_rng(seed)
    images = dataset.images(learnt)
    with progress("train features", steps * BATCH, "faces") as advance:
        for _ in range(epochs):
            order = random.permutation(len(learnt))
            for i in range(0, len(order) - BATCH + 1, BATCH):
                some = order[i : i + BATCH]
                loss = step(tf.constant(images[some]), tf.constant(of[some]))
                advance(BATCH, f"loss {float(loss):.2f}")
    return network, verify(network, dataset, held_out, seed)


def persons_of(groups: NDArray[np.str_], seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Faces to learn from, which person each shows, and the faces of persons that are held out."""
    names, person, count = np.unique(groups, return_inverse=True, return_counts=True)
    usable = np.flatnonzero(count >= FACES_OF_ONE)
    held_out = np.random.default_rng(seed).permutation(usable)[: round(HELD_OUT * len(usable))]
    known = np.setdiff1d(usable, held_out)
    if len(held_out) < 2 or len(known) < 2:
        raise UsageError(
            f"{len(usable)} of {len(names)} persons have {FACES_OF_ONE} faces or more, too few to learn people from; "
            "take a dataset that was made with --groups."
        )
    learnt = np.flatnonzero(np.isin(person, known))
    return learnt, np.searchsorted(known, person[learnt]), np.flatnonzero(np.isin(person, held_out))


def verify(network: Any, dataset: FaceDataset, faces: NDArray[np.int64], seed: int) -> Verified:
    """Tries a network on pairs of these faces of a dataset."""
    images, groups = dataset.images(faces), dataset.groups[faces]
    features = of_network("identity", network)(images)
    random = np.random.default_rng(seed)
    first, second = random.integers(0, len(faces), (2, 200 * PAIRS))
    apart = first != second
    same = groups[first] == groups[second]
    pairs = [np.flatnonzero(apart & kind)[: PAIRS // 2] for kind in (same, ~same)]
    one, two = (1 - (features[first[p]] * features[second[p]]).sum(axis=1) / FEATURES for p in pairs)
    return Verified.of(one, two, len(np.unique(groups)))
