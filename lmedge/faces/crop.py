"""From a photo to a stored face: where the square is, and the landmarks in it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lmedge.errors import LmedgeError
from lmedge.faces.annotate import FaceMesh
from lmedge.faces.detect import HaarDetector
from lmedge.faces.options import PrepareConfig
from lmedge.faces.photo import (
    Affine,
    Image8,
    Photo,
    Rejected,
    cut,
    moved,
    read_photo,
    square_to_face,
)  # fmt: skip
from lmedge.faces.sources import Source
from lmedge.landmarks import far_outside, read_pts
from lmedge.scheme import Scheme, converted

# `--crop landmarks` brings the centres of right eye, left eye and mouth here, in 0..1 of the face.
ALIGNED = np.array([[0.34, 0.40], [0.66, 0.40], [0.50, 0.72]])
ALIGNING = tuple(tuple(f"ibug68/{i}" for i in part) for part in (range(36, 42), range(42, 48), (48, 54)))
# Share of the points that may lie outside the face before it counts as cut off.
OUTSIDE = 0.1
LEAST_EXTENT = 0.05  # of the face's side: landmarks of a face are not all in one place


@dataclass(frozen=True)
class Face:
    """A stored face: `pixels` `[size, size, 3]` RGB, `landmarks` `[K, 2]` in its pixels."""

    pixels: Image8
    landmarks: NDArray[np.float32]


class FaceCutter:
    """Turns photos into faces as the options say; one a process, as it holds the detectors."""

    def __init__(self, config: PrepareConfig):
        self.config = config
        self.scheme = config.scheme
        self._haar = HaarDetector() if config.crop == "haar" else None
        self._mesh = FaceMesh() if config.annotator == "mediapipe" else None

    def face(self, source: Source) -> Face:
        """The face of one photo. Raises Rejected with the reason, LmedgeError where the photos went away."""
        try:
            return self._face(source)
        except (Rejected, LmedgeError, MemoryError):
            raise
        except Exception as error:  # whatever is wrong with one photo, the others are looked at
            raise Rejected(f"failed: {type(error).__name__}, {error}") from error

    def _face(self, source: Source) -> Face:
        photo = read_photo(source.path)
        if min(photo.pixels.shape[:2]) < 8:
            raise Rejected("smaller than 8 pixels")
        size = self.config.size
        placed = None if self._mesh else self._placed(source, photo)
        to_face = self._square(photo, placed)
        if placed is None:
            placed = self._annotated(photo, to_face)
        landmarks = moved(placed, to_face)
        inside = ((landmarks >= -0.5) & (landmarks <= size - 0.5)).all(axis=1)
        if (~inside).mean() > OUTSIDE or far_outside(landmarks, size, size).any():
            raise Rejected("landmarks outside the crop")
        if np.ptp(landmarks, axis=0).max() < LEAST_EXTENT * size:
            raise Rejected("landmarks all in one place")
        return Face(cut(photo.pixels, to_face, size), landmarks)

    def _placed(self, source: Source, photo: Photo) -> NDArray[np.float32]:
        """Hand-placed landmarks in pixels of the photo as decoded."""
        if not source.pts.is_file():
            raise Rejected("no .pts file")
        try:
            points = read_pts(source.pts)
        except LmedgeError:
            raise Rejected("unreadable .pts file") from None
        given = self.config.pts_scheme
        if len(points) != given.count:
            raise Rejected(f".pts of {len(points)} points, not the {given.count} of --pts-scheme {given}")
        read, points = points, ((points + 0.5) * photo.scale - 0.5).astype(np.float32)
        far = far_outside(points, photo.pixels.shape[1], photo.pixels.shape[0])
        if far.any():
            x, y = read[far][0] + 1
            raise Rejected(f".pts point far outside of the picture: {x:g}, {y:g} in {source.pts.name}")
        return converted(points, given, self.scheme)

    def _square(self, photo: Photo, placed: NDArray[np.float32] | None) -> Affine:
        size, config = self.config.size, self.config
        height, width = photo.pixels.shape[:2]
        side = min(width, height)
        whole = square_to_face((width - side) / 2, (height - side) / 2, side, size)
        if config.crop == "none":
            return whole
        if self._haar is not None:
            box = self._haar.largest(photo.pixels)
            border = config.margin * box.side
            return square_to_face(box.x - border, box.y - border, box.side + 2 * border, size)
        if placed is None:
            placed = self._annotated(photo, whole)
        return alignment(placed, self.scheme, size)

    def _annotated(self, photo: Photo, to_face: Affine) -> NDArray[np.float32]:
        """Face Mesh landmarks in photo pixels."""
        assert self._mesh is not None
        points = self._mesh.around(photo.pixels, to_face, self.config.size, self.scheme)
        if points is None:
            raise Rejected("no landmarks found")
        return points


def alignment(points: NDArray[np.float32], scheme: Scheme, size: int) -> Affine:
    """The similarity transform (rotation, scale, shift; least squares, Umeyama 1991) that brings the centres
    of the eyes and the mouth of `points` `[K, 2]` to their fixed places in a face of `size` pixels."""
    centres = np.array([points[[scheme.index(point) for point in part]].mean(axis=0) for part in ALIGNING])
    target = ALIGNED * size - 0.5
    source, goal = centres - centres.mean(axis=0), target - target.mean(axis=0)
    # In complex numbers a similarity without reflection is one multiplication.
    a, b = source @ [1, 1j], goal @ [1, 1j]
    turn = (np.conj(a) @ b) / max(float((np.abs(a) ** 2).sum()), 1e-9)
    linear = np.array([[turn.real, -turn.imag], [turn.imag, turn.real]])
    return np.column_stack([linear, target.mean(axis=0) - linear @ centres.mean(axis=0)])
