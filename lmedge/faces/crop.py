"""From a photo to a stored face: where the square is, and the landmarks in it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from lmedge.affine import Affine, Image8, cut, moved, square_to_face
from lmedge.annotators.annotator import Annotator, Picture
from lmedge.annotators.registry import looking
from lmedge.crop import MARGIN, Crop, crop_of
from lmedge.errors import LmedgeError, Rejected, UsageError
from lmedge.faces.detect import HaarDetector
from lmedge.faces.photo import read_photo
from lmedge.faces.sources import Source
from lmedge.landmarks import far_outside
from lmedge.provenance import Provenance
from lmedge.scheme import Scheme

# `--crop landmarks` brings the centres of right eye, left eye and mouth here, in 0..1 of the face.
ALIGNED = np.array([[0.34, 0.40], [0.66, 0.40], [0.50, 0.72]])
ALIGNING = tuple(tuple(f"ibug68/{i}" for i in part) for part in (range(36, 42), range(42, 48), (48, 54)))
# Share of the points that may lie outside the face before it counts as cut off.
OUTSIDE = 0.1
LEAST_EXTENT = 0.05  # of the face's side: landmarks of a face are not all in one place


@dataclass(frozen=True)
class Cutting:
    """How a photo becomes a stored face of `size` pixels: who places the landmarks of `scheme`, how the square is found
    (`crop`, as of `lmedge prepare`), and the `margin` on each side of the Haar box, as a share of its side."""

    annotator: Annotator
    scheme: Scheme
    size: int
    crop: Crop = "haar"
    margin: float = MARGIN

    @classmethod
    def as_of(cls, provenance: Provenance, scheme: Scheme, size: int) -> "Cutting":
        """As faces of `provenance` were cut, or as `lmedge prepare` does it where they never were photos. Where nobody
        who only looks can place the points of `scheme`, with landmarks of another one."""
        return cls(*looking(provenance, scheme), size, *crop_of(provenance))

    def check(self, photos: Sequence[Path] = ()) -> None:
        """Raises UsageError where the annotator cannot place the points of the scheme, or has nothing on any of these
        photos, and where the crop needs points that are none of it."""
        self.annotator.check(self.scheme, photos)
        if self.crop == "landmarks" and not self.scheme.has(*chain(*ALIGNING)):
            raise UsageError(
                f"--crop landmarks: the landmark scheme {self.scheme} lacks points of iBUG's eyes and mouth, which are "
                "brought to fixed places; take --crop haar or none."
            )

    def options(self) -> dict[str, Any]:
        """How the square is found, as provenance has it."""
        return {"crop": self.crop, "margin": self.margin}


@dataclass(frozen=True)
class Face:
    """A stored face: `pixels` `[size, size, 3]` RGB, `landmarks` `[K, 2]` in its pixels."""

    pixels: Image8
    landmarks: NDArray[np.float32]


class FaceCutter:
    """Turns photos into faces; one a process, as it holds the detectors. Use it as a context manager or close it."""

    def __init__(self, cutting: Cutting):
        self.cutting = cutting
        self._haar = HaarDetector() if cutting.crop == "haar" else None
        cutting.annotator.open()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Frees the detectors."""
        self.cutting.annotator.close()

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
        height, width = photo.pixels.shape[:2]
        if min(height, width) < 8:
            raise Rejected("smaller than 8 pixels")
        size, side = self.cutting.size, min(width, height)
        whole = square_to_face((width - side) / 2, (height - side) / 2, side, size)
        picture = Picture(photo.pixels, whole, size, source.path, photo.scale)
        # Who looks is shown the square; others need none, and say at once that there is nothing.
        placed = None if self.cutting.annotator.looks else self._found(picture)
        picture = replace(picture, to_face=self._square(picture, placed))
        if placed is None:
            placed = self._found(picture)
        landmarks = moved(placed, picture.to_face)
        inside = ((landmarks >= -0.5) & (landmarks <= size - 0.5)).all(axis=1)
        if (~inside).mean() > OUTSIDE or far_outside(landmarks, size, size).any():
            raise Rejected("landmarks outside the crop")
        if np.ptp(landmarks, axis=0).max() < LEAST_EXTENT * size:
            raise Rejected("landmarks all in one place")
        return Face(cut(photo.pixels, picture.to_face, size), landmarks)

    def _square(self, picture: Picture, placed: NDArray[np.float32] | None) -> Affine:
        """Where the face is; `picture` is the centred square of the photo."""
        size, crop = self.cutting.size, self.cutting.crop
        if crop == "none":
            return picture.to_face
        if self._haar is not None:
            box = self._haar.largest(picture.pixels)
            border = self.cutting.margin * box.side
            return square_to_face(box.x - border, box.y - border, box.side + 2 * border, size)
        return alignment(self._found(picture) if placed is None else placed, self.cutting.scheme, size)

    def _found(self, picture: Picture) -> NDArray[np.float32]:
        """Landmarks in pixels of the photo. Raises Rejected."""
        points = self.cutting.annotator.find(picture, self.cutting.scheme)
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
