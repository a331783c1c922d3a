"""Are generated faces copies of the training faces?"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lmedge.faces.records import FaceDataset, chunks

CHUNK = 2048  # faces of the dataset read at a time


@dataclass(frozen=True)
class Neighbours:
    """For each of N faces the nearest one of the dataset: its index `[N]`, whether mirrored `[N]`, and the distance
    `[N]`, root mean square over pixels in levels (0..255)."""

    index: NDArray[np.int64]
    mirrored: NDArray[np.bool_]
    distance: NDArray[np.float64]


def nearest(
    faces: NDArray[np.uint8], dataset: FaceDataset, excluded: NDArray[np.int64] | None = None,
    advance: Callable[[int], None] = lambda count: None,
) -> Neighbours:  # fmt: skip
    """The nearest faces of the whole dataset, as stored or mirrored. `excluded` `[N, M]`: indices that a face must not
    be compared with, such as itself and others of its person, filled up with -1."""
    flat = faces.reshape(len(faces), -1).astype(np.float32)
    squares = (flat.astype(np.float64) ** 2).sum(axis=1)
    best = np.full(len(faces), np.inf)
    index, mirrored = np.zeros(len(faces), np.int64), np.zeros(len(faces), bool)
    for indices in chunks(len(dataset), CHUNK):
        stored = dataset.images(indices)
        for flipped in (False, True):
            other = (stored[:, :, ::-1] if flipped else stored).reshape(len(stored), -1).astype(np.float32)
            away = squares[:, None] + (other.astype(np.float64) ** 2).sum(axis=1) - 2.0 * (flat @ other.T)
            if excluded is not None:
                away[(excluded[:, :, None] == indices).any(axis=1)] = np.inf
            place = away.argmin(axis=1)
            value = away[np.arange(len(faces)), place]
            better = value < best
            best[better], index[better], mirrored[better] = value[better], indices[place[better]], flipped
        advance(len(indices))
    return Neighbours(index, mirrored, np.sqrt(np.maximum(best, 0) / flat.shape[1]))
