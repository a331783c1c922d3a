"""The shape of a face apart from its place, size and tilt, as its known landmarks show it."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmedge.runtime.face_model import FaceModel
from lmedge.seeds import Purpose

Array = NDArray[np.float64]
Complex = NDArray[np.complex128]
SHAPES = 1000  # drawn faces whose landmarks say how shapes differ
EXPLAINED, MOST_AXES = 0.995, 16  # share of that which is kept, and axes of it at most
SMOOTH = 0.01  # of the thin plate, in squared sizes of the mean face


class Frame:
    """Landmarks turned and scaled to those of the mean face, and how the shapes that a model draws differ. Places in
    the frame are complex numbers, in which a tilt and a size are one product.

    `landmarks` `[N, K, 2]` of many faces.
    """

    def __init__(self, landmarks: NDArray[np.float32]):
        points = _complex(landmarks)
        mean = (points - points.mean(axis=1, keepdims=True)).mean(axis=0)
        self.mean = mean / np.sqrt((np.abs(mean) ** 2).mean())
        flat = self._flat(landmarks)
        self.middle = flat.mean(axis=0)
        _, sizes, axes = np.linalg.svd(flat - self.middle, full_matrices=False)
        share = np.cumsum(sizes**2) / max(float((sizes**2).sum()), 1e-12)
        kept = min(MOST_AXES, int(np.searchsorted(share, EXPLAINED)) + 1)
        self.axes = axes[:kept].T
        self.unit = max(float(np.sqrt((sizes[:kept] ** 2).sum() / len(flat))), 1e-9)

    @classmethod
    def of(cls, model: FaceModel) -> "Frame":
        """Of the faces that a model draws."""
        return cls(model.landmarks(model.latent.draw(SHAPES, purpose=Purpose.LABELLED)))

    def place(self, landmarks: NDArray[np.float32]) -> tuple[Complex, Complex]:
        """Middle of faces `[N, K, 2]`, and their size and tilt, `[N, 1]` each: the similarity that takes the mean face
        nearest to them (least squares)."""
        points = _complex(landmarks)
        middle = points.mean(axis=1, keepdims=True)
        turn = ((points - middle) * self.mean.conj()).mean(axis=1, keepdims=True)
        return middle, np.where(np.abs(turn) < 1e-6, 1e-6, turn)

    def inside(self, points: NDArray[Any], landmarks: NDArray[np.float32]) -> Complex:
        """Points `[N, P, 2]` of faces with these known `landmarks`, in the frame: `[N, P]`."""
        middle, turn = self.place(landmarks)
        return (_complex(points) - middle) / turn

    def outside(self, places: Complex, landmarks: NDArray[np.float32]) -> Array:
        """The inverse of `inside`."""
        middle, turn = self.place(landmarks)
        points = places * turn + middle
        return np.stack([points.real, points.imag], axis=-1)

    def warp(self, place: complex) -> Array:
        """What share each known landmark has, `[K]`, in where a place of the mean face is on another: the thin plate
        that bends least through them (Bookstein 1989, Principal warps), smoothed."""
        count, mean = len(self.mean), self.mean
        bend = _plate(mean[:, None] - mean) + SMOOTH * np.eye(count)
        flat = np.column_stack([np.ones(count), mean.real, mean.imag])
        whole = np.block([[bend, flat], [flat.T, np.zeros((3, 3))]])
        at = np.concatenate([_plate(place - mean), [1.0, place.real, place.imag]])
        return np.linalg.solve(whole, at)[:count]

    def coordinates(self, landmarks: NDArray[np.float32]) -> Array:
        """How each face `[N, K, 2]` differs from the middle one: `[N, d]`; of drawn faces the sum of squares is about
        1."""
        return (self._flat(landmarks) - self.middle) @ self.axes / self.unit

    def _flat(self, landmarks: NDArray[np.float32]) -> Array:
        shapes = self.inside(landmarks, landmarks)
        return np.concatenate([shapes.real, shapes.imag], axis=1)


def _plate(apart: NDArray[Any]) -> Array:
    """r^2 log r^2 of distances."""
    squared = np.abs(apart) ** 2
    return squared * np.log(np.maximum(squared, 1e-12))


def _complex(points: NDArray[Any]) -> Complex:
    return points[..., 0].astype(np.float64) + 1j * points[..., 1]
