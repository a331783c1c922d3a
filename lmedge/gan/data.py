"""Batches of faces for a training, repeatable from any step on."""

import os
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from lmedge.faces.records import FaceDataset, chunks
from lmedge.progress import progress

SHARE_OF_MEMORY = 4  # decoded faces are kept when they fit into this part of the free memory
Parts = Callable[[], Iterator[NDArray[np.int64]]]


def batches(count: int, batch: int, seed: int, start: int) -> Iterator[NDArray[np.int64]]:
    """Indices of the batches from step `start` on, without end: every epoch is a fresh permutation, drawn
    from (seed, epoch), and a batch may straddle two. Where a step's batch lies follows from its number."""
    epoch, order = -1, np.empty(0, np.int64)
    position = start * batch
    while True:
        wanted: list[int] = []
        while len(wanted) < batch:
            at, offset = divmod(position, count)
            if at != epoch:
                epoch, order = at, np.random.default_rng((seed, at)).permutation(count)
            part = order[offset : offset + batch - len(wanted)]
            wanted.extend(part)
            position += len(part)
        yield np.array(wanted)


def face_batches(
    dataset: FaceDataset, batch: int, seed: int, start: int, replicas: int = 1, mine: range = range(1),
    landmarks: bool = False, attributes: bool = False,
) -> tf.data.Dataset:  # fmt: skip
    """uint8 `[batch / replicas, size, size, 3]` from step `start` on, or tuples of them, their `landmarks` in pixels
    `[batch / replicas, K, 2]` and their `attributes` `[batch / replicas, A]`: the parts of each batch that belong to
    the replicas `mine`, in turn. Faces that fit into memory are decoded once, others ahead of the training."""
    share = batch // replicas

    def parts() -> Iterator[NDArray[np.int64]]:
        for indices in batches(len(dataset), batch, seed, start):
            for replica in mine:
                yield indices[replica * share : (replica + 1) * share]

    if len(dataset) * dataset.size**2 * 3 <= _free_memory() // SHARE_OF_MEMORY:
        data = _from_memory(_decoded(dataset), parts)
    else:
        data = _from_disk(dataset, share, parts)
    labels = [dataset.landmarks] if landmarks or attributes else []
    labels += [dataset.attributes] if attributes else []
    return tf.data.Dataset.zip(data, *(_from_memory(each, parts) for each in labels)) if labels else data


def _from_memory(values: NDArray[Any], parts: Parts) -> tf.data.Dataset:
    def gathered() -> Iterator[NDArray[Any]]:
        for indices in parts():
            yield values[indices]

    spec = tf.TensorSpec([None, *values.shape[1:]], values.dtype)
    return tf.data.Dataset.from_generator(gathered, output_signature=spec).prefetch(2)


def _from_disk(dataset: FaceDataset, share: int, parts: Parts) -> tf.data.Dataset:
    dataset.check()

    def serialized() -> Iterator[list[bytes]]:
        for indices in parts():
            yield dataset.serialized(indices)

    data = tf.data.Dataset.from_generator(serialized, output_signature=tf.TensorSpec([share], tf.string))
    data = data.map(lambda examples: dataset.parse(examples)["image"], num_parallel_calls=tf.data.AUTOTUNE)
    return data.prefetch(tf.data.AUTOTUNE)


def _decoded(dataset: FaceDataset) -> NDArray[np.uint8]:
    faces = np.empty((len(dataset), dataset.size, dataset.size, 3), np.uint8)
    with progress("decode", len(dataset), "faces") as advance:
        for indices in chunks(len(dataset), 1024):
            faces[indices] = dataset.images(indices)
            advance(len(indices))
    return faces


def _free_memory() -> int:
    """Bytes of memory that are free, as far as the system says."""
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError, AttributeError):
        return 1 << 31
