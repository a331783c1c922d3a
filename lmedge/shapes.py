"""The space of landmarks that a block of a latent stands for: a mean face and the axes along which faces differ
(principal components; Cootes et al. 1995, active shape models). Needs no more than NumPy, as it runs on the device."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmedge.errors import UsageError
from lmedge.landmarks import Array
from lmedge.mixture import Row, rounded, row

DEVIATIONS = 4.0  # of a component, that its numbers -1 and 1 stand for; beyond, landmarks are clipped
FORM = {"mean": list, "axes": list}
MOST_POINTS = 4096
SLANT = 1e-3  # cosine between two axes that rounding leaves at most


@dataclass(frozen=True)
class ShapeSpace:
    """Landmarks are `mean` + the sum of z_i times axis i.

    `mean`: `[2K]` normalised (x, y, x, y, ...); `axes`: `[n, 2K]`, at right angles to each other, each `DEVIATIONS`
    deviations long.
    """

    mean: Row
    axes: tuple[Row, ...]

    @property
    def size(self) -> int:
        """n, axes."""
        return len(self.axes)

    @property
    def points(self) -> int:
        """K, landmarks."""
        return len(self.mean) // 2

    @cached_property
    def arrays(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Mean `[2K]`; what takes deviations from it to z, `[2K, n]`."""
        axes = np.array(self.axes)
        return np.array(self.mean, np.float32), (axes / (axes**2).sum(axis=1, keepdims=True)).T.astype(np.float32)

    def latents(self, landmarks: Array) -> Array:
        """Normalised landmarks `[..., K, 2]` -> z `[..., n]`, not clipped."""
        mean, inverse = self.arrays
        return (landmarks.reshape(*landmarks.shape[:-2], -1) - mean) @ inverse

    def landmarks(self, z: Array) -> Array:
        """z `[..., n]` -> normalised landmarks `[..., K, 2]`."""
        flat = np.array(self.mean, np.float32) + z @ np.array(self.axes, np.float32)
        return flat.reshape(*z.shape[:-1], -1, 2)

    def check(self) -> None:
        """Raises UsageError for one that has no landmarks."""
        rows = (self.mean, *self.axes)
        if not self.axes or not 0 < self.points <= MOST_POINTS or any(len(row) != 2 * self.points for row in rows):
            raise UsageError(f"a space of shapes has {self.size} axes of {self.points} landmarks, or of no number.")
        numbers = np.array(rows)
        if not np.isfinite(numbers).all() or np.abs(numbers).max() > 1e3 or not (numbers[1:] ** 2).sum(axis=1).all():
            raise UsageError("a space of shapes has axes that lead nowhere.")
        directions = numbers[1:] / np.linalg.norm(numbers[1:], axis=1, keepdims=True)
        if np.abs(directions @ directions.T - np.eye(self.size)).max() > SLANT:
            raise UsageError("a space of shapes has axes that are not at right angles.")

    def to_json(self) -> dict[str, Any]:
        """An object of FORM."""
        return {"mean": list(self.mean), "axes": list(map(list, self.axes))}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "ShapeSpace":
        """From an object of FORM. Raises ValueError, TypeError or OverflowError for lists of other things than
        numbers."""
        return cls(row(value["mean"]), tuple(map(row, value["axes"])))


def fit_shapes(landmarks: Array, size: int) -> ShapeSpace:
    """The space of normalised landmarks `[N, K, 2]` with at most `size` axes; fewer where they differ in fewer ways.
    Raises UsageError where they do not differ at all."""
    flat = landmarks.reshape(len(landmarks), -1).astype(np.float64)
    mean = flat.mean(axis=0)
    variances, vectors = np.linalg.eigh(np.cov(flat.T, bias=True))
    kept = [i for i in np.argsort(-variances)[:size] if variances[i] > 1e-9]
    if not kept:
        raise UsageError(
            "the landmarks of all faces are the same, so no face can be asked for by them; take --shape 0."
        )
    axes = []
    for i in kept:
        vector = vectors[:, i] * np.sign(vectors[np.abs(vectors[:, i]).argmax(), i])  # either sign is an eigenvector
        axes.append(rounded(vector * DEVIATIONS * np.sqrt(variances[i])))
    return ShapeSpace(rounded(mean), tuple(axes))
