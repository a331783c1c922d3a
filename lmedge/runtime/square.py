"""A square of a picture as a face of some pixels, with NumPy alone: the pixels that `lmedge.affine.cut` gives by OpenCV
where photos become faces, but for rounding."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lmedge.errors import UsageError

Weights = NDArray[np.float32]
SHRUNK = 0.8  # a picture is averaged down first where its pixels are smaller than this in the face's
SHARPNESS = -0.75  # of the cubic convolution (Keys 1981), as OpenCV has it


@dataclass(frozen=True)
class Square:
    """`(x, y)` is its top-left corner and `side` its side, in pixels from the picture's own corner: a picture of one
    pixel is the square (0, 0, 1)."""

    x: float
    y: float
    side: float

    @classmethod
    def around(cls, box: Sequence[float], border: float) -> "Square":
        """Around a box (x, y, width, height), with the same middle, as large as its longer side and a `border` on each
        side, as a share of that. Raises UsageError for what is no box."""
        try:
            x, y, width, height = map(float, box)
        except (TypeError, ValueError):
            raise UsageError(f"the box {box!r:.80} is not four numbers: x, y, width and height.") from None
        if not (np.isfinite([x, y, width, height]).all() and min(width, height) > 0):
            raise UsageError(f"the box {x:g}, {y:g}, {width:g}, {height:g} has no width or no height.")
        side = max(width, height) * (1 + 2 * border)
        return cls(x + (width - side) / 2, y + (height - side) / 2, side)

    def cut(self, picture: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
        """The face `[size, size, 3]` that it holds of a picture `[H, W, 3]`, whose border is reflected where it hangs
        over."""
        scale = size / self.side
        rows, columns = (
            _weights(start, self.side, size, length, max(1, round(length * scale)) if scale < SHRUNK else length)
            for start, length in ((self.y, picture.shape[0]), (self.x, picture.shape[1]))
        )
        (top, rows), (left, columns) = _seen(rows), _seen(columns)
        part = picture[top : top + rows.shape[1], left : left + columns.shape[1]].astype(np.float32)
        face = np.einsum("sw,hwc->hsc", columns, np.tensordot(rows, part, 1), optimize=True)
        return np.clip(np.rint(face), 0, 255).astype(np.uint8)

    def in_picture(self, points: NDArray[np.float32], size: int) -> NDArray[np.float32]:
        """Points `[..., 2]` of a face of `size` pixels, in pixels of the picture; (0, 0) is the centre of the first one
        of either."""
        return ((points + 0.5) * (self.side / size) + (self.x - 0.5, self.y - 0.5)).astype(np.float32)


def _weights(start: float, side: float, size: int, length: int, shrunk: int) -> Weights:
    """Along one side of the picture, `length` pixels that are averaged down to `shrunk` ones first: what each pixel of
    the face takes of each of the picture, `[size, length]`."""
    centres = (start + (np.arange(size) + 0.5) * (side / size)) * (shrunk / length) - 0.5
    first = np.floor(centres).astype(int)
    taken = _reflected(first[:, None] + np.arange(-1, 3), shrunk)  # [size, 4]
    pixels, at = np.unique(taken, return_inverse=True)
    cubic = np.zeros((size, len(pixels)))
    np.add.at(cubic, (np.arange(size)[:, None], at.reshape(taken.shape)), _cubic(centres - first))
    edges = np.stack([pixels, pixels + 1], axis=1) * (length / shrunk)
    cells = np.arange(length)
    overlap = np.minimum(edges[:, 1:], cells + 1) - np.maximum(edges[:, :1], cells)  # [pixels, length]
    shares = np.clip(overlap, 0, None) * (shrunk / length)
    return (cubic @ shares).astype(np.float32)


def _cubic(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights `[N, 4]` of the two pixels before and behind a place `x` `[N]` between the middle two, 0 to 1."""
    a = SHARPNESS
    inner = [((a + 2) * d - (a + 3)) * d * d + 1 for d in (x, 1 - x)]
    before = ((a * (x + 1) - 5 * a) * (x + 1) + 8 * a) * (x + 1) - 4 * a
    return np.stack([before, *inner, 1 - before - inner[0] - inner[1]], axis=1)


def _reflected(index: NDArray[np.int64], length: int) -> NDArray[np.int64]:
    """Places beyond a border as those before it; the pixel at the border is not doubled."""
    period = max(2 * (length - 1), 1)
    index = index % period
    return np.minimum(index, period - index) if length > 1 else np.zeros_like(index)


def _seen(weights: Weights) -> tuple[int, Weights]:
    """The first pixel that counts, and the weights from there to the last one."""
    there = np.flatnonzero(weights.any(axis=0))
    return int(there[0]), weights[:, there[0] : there[-1] + 1]
