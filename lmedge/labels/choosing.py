"""Which generated faces are worth a person's time."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lmedge.errors import UsageError
from lmedge.labels.frame import Frame
from lmedge.latent import Latents
from lmedge.runtime.face_model import FaceModel
from lmedge.seeds import Purpose

POOL = 400  # faces drawn to choose from
SURE = 0.75  # share of these, those with the highest confidence, among which is chosen
ALIKE = 1e-3  # of the deviation of shapes; nearer ones are the same face to who labels


@dataclass(frozen=True)
class Pool:
    """Faces to choose from: latents `z` `[N, Z]`, `landmarks` `[N, K, 2]` in pixels, and the coordinates of their
    shapes `[N, d]`."""

    z: Latents
    landmarks: NDArray[np.float32]
    shapes: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.z)

    def __getitem__(self, part: NDArray[np.int64]) -> "Pool":
        return Pool(self.z[part], self.landmarks[part], self.shapes[part])


def pool_of(model: FaceModel, frame: Frame, seed: int, count: int = POOL) -> Pool:
    """`count` faces of a seed, less those of which the model is least sure that it knows their landmarks, as these are
    often no good faces either."""
    faces = model.render(model.latent.draw(count, seed, purpose=Purpose.LABELLED))
    kept = np.arange(count)
    if faces.confidence is not None:
        kept = np.sort(np.argsort(-faces.confidence, kind="stable")[: max(1, round(SURE * count))])
    return Pool(faces.latents[kept], faces.landmarks[kept], frame.coordinates(faces.landmarks[kept]))


def other_than(pool: Pool, shapes: NDArray[np.float64]) -> NDArray[np.int64]:
    """Indices of faces of the pool that are none of those with `shapes` `[M, d]`."""
    return np.flatnonzero(_nearest(pool.shapes, shapes) > ALIKE)


def varied(pool: Pool, count: int, shapes: NDArray[np.float64]) -> NDArray[np.int64]:
    """Indices of `count` faces of the pool whose pose and expression differ most from each other and from those of
    `shapes` `[M, d]`: first the most usual one where there are none, then always the one that is furthest from all
    (Gonzalez 1985). None twice. Raises UsageError where the pool has not so many."""
    far = _nearest(pool.shapes, shapes)
    chosen: list[int] = []
    while len(chosen) < count:
        none_yet = not len(shapes) and not chosen
        best = int((pool.shapes**2).sum(axis=1).argmin()) if none_yet else int(far.argmax())
        if far[best] <= ALIKE:
            raise UsageError(f"the model draws no {count} faces that differ; ask for fewer, or train it longer.")
        chosen.append(best)
        far = np.minimum(far, _nearest(pool.shapes, pool.shapes[best : best + 1]))
    return np.array(chosen, np.int64)


def _nearest(shapes: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distance `[N]` to the nearest of others; infinite where there are none."""
    if not len(others):
        return np.full(len(shapes), np.inf)
    return np.sqrt(((shapes[:, None] - others[None]) ** 2).sum(axis=-1).min(axis=1))
