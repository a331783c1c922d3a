"""Landmarks in a mirror, in their normalised form and in `.pts` files, and the error measure.

Landmarks are float32 `(x, y)` in pixels of the stored face; `(0, 0)` is the centre of the top-left pixel.
Needs NumPy only: this file also runs on the device.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lmedge.errors import LmedgeError
from lmedge.scheme import Scheme

Array = NDArray[np.float32]
LARGEST_PTS = 1 << 16  # bytes of a .pts file; 68 points take 2,000


def mirrored(points: Array, width: int, scheme: Scheme) -> Array:
    """Landmarks `[..., K, 2]` in pixels of the face flipped left to right: x is mirrored *and* left and
    right points change places."""
    flipped = points[..., list(scheme.mirror), :].copy()
    flipped[..., 0] = width - 1 - flipped[..., 0]
    return flipped


def normalised(points: Array, width: int, height: int) -> Array:
    """Pixels to 0..1 of the image: `((x + 0.5) / width, (y + 0.5) / height)`."""
    return ((points + 0.5) / np.array([width, height])).astype(np.float32)


def in_pixels(points: Array, width: int, height: int) -> Array:
    """The inverse of `normalised`, for an image of any size."""
    return (points * np.array([width, height]) - 0.5).astype(np.float32)


def far_outside(points: Array, width: int, height: int) -> NDArray[np.bool_]:
    """Which of the points `[..., 2]` are further from a picture than its own side, or no numbers: `[...]`."""
    size = np.array([width, height])
    return ~((points >= -size) & (points <= 2 * size)).all(axis=-1)


def nme(predicted: Array, true: Array, scheme: Scheme) -> Array:
    """Normalised mean error of each face: mean point distance over that of the scheme's two reference points in the
    true face; for iBUG's schemes the outer eye corners (300-W, "inter-ocular"). `[N, K, 2]`, `[N, K, 2]` -> `[N]`,
    0.05 means 5 %."""
    return point_errors(predicted, true, scheme).mean(axis=-1)


def point_errors(predicted: Array, true: Array, scheme: Scheme) -> Array:
    """The same of each point: `[N, K]`."""
    first, second = scheme.reference
    reference = np.linalg.norm(true[:, first] - true[:, second], axis=-1)
    distance = np.linalg.norm(predicted - true, axis=-1)
    return (distance / np.maximum(reference, 1e-6)[:, None]).astype(np.float32)


def read_pts(path: Path) -> Array:
    """The points of a 300-W `.pts` file, `[K, 2]`, moved from its 1-based pixels to 0-based ones.

    Raises LmedgeError when the file is not a `.pts` file or holds another number of points than it says.
    """
    try:
        if path.stat().st_size > LARGEST_PTS:
            raise ValueError(f"more than {LARGEST_PTS} bytes")
        head, rest = path.read_text(encoding="ascii").split("{", 1)
        body = rest.split("}", 1)[0]
        fields = dict(line.split(":", 1) for line in head.splitlines() if ":" in line)
        with np.errstate(over="ignore"):  # what float32 cannot hold is infinite, and refused
            points = np.array([line.split() for line in body.strip().splitlines()], dtype=np.float32)
        if points.shape != (int(fields["n_points"]), 2) or not np.isfinite(points).all():
            raise ValueError(f"{points.shape} numbers for n_points {fields['n_points'].strip()}")
    except (ValueError, KeyError, OSError) as error:
        raise LmedgeError(f"{path} is not a .pts file ({error}).") from None
    return points - 1


def rows(points: Array, line: str) -> str:
    """Points `[K, 2]` as text, `line` with two numbers in it for each; at once, as sets of millions are written."""
    return (line * len(points)) % tuple(points.ravel().tolist())


def pts_text(points: Array) -> str:
    """Points `[K, 2]`, 0-based pixels, as the text of a 1-based 300-W `.pts` file."""
    lines = rows(points + 1, "%.4f %.4f\n")
    return f"version: 1\nn_points: {len(points)}\n{{\n{lines}}}\n"


def write_pts(path: Path, points: Array) -> None:
    """Writes points `[K, 2]`, 0-based pixels, as a 1-based 300-W `.pts` file."""
    path.write_text(pts_text(points), encoding="ascii")
