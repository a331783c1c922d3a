"""Landmark schemes, their mirror images, the normalised form, and the error measure.

Landmarks are float32 `(x, y)` in pixels of the stored face; `(0, 0)` is the centre of the top-left pixel.
Needs NumPy only: this file also runs on the device.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lmedge.errors import LmedgeError, UsageError

Array = NDArray[np.float32]
LARGEST_PTS = 1 << 16  # bytes of a .pts file; 68 points take 2,000

# Pairs of iBUG 68 points that change places in a mirror; the others (8, 27-30, 33, 51, 57, 62, 66) stay.
_MIRROR_68_PAIRS = (
    *((i, 16 - i) for i in range(8)),  # jaw
    *((17 + i, 26 - i) for i in range(5)),  # brows
    (31, 35), (32, 34),  # nostrils
    (36, 45), (37, 44), (38, 43), (39, 42), (40, 47), (41, 46),  # eyes
    (48, 54), (49, 53), (50, 52), (59, 55), (58, 56),  # outer mouth
    (60, 64), (61, 63), (67, 65),  # inner mouth
)  # fmt: skip

# Face Mesh vertices that stand where the iBUG 68 points stand; consistent under Face Mesh's own mirror
# symmetry. The jaw is an approximation: iBUG marks the visible contour, Face Mesh a fixed line on the head.
FACE_MESH_TO_IBUG68 = (
    162, 234, 93, 58, 172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 323, 454, 389,
    70, 63, 105, 66, 107, 336, 296, 334, 293, 300,
    168, 197, 5, 4, 75, 97, 2, 326, 305,
    33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380,
    61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181, 78, 82, 13, 312, 308, 317, 14, 87,
)  # fmt: skip

# Curves of the 68 points as (first, last, closed), for drawing.
_CURVES_68 = (
    (0, 16, False), (17, 21, False), (22, 26, False), (27, 30, False), (31, 35, False),
    (36, 41, True), (42, 47, True), (48, 59, True), (60, 67, True),
)  # fmt: skip

_PARTS_68 = (
    ("jaw", 17), ("right_brow", 5), ("left_brow", 5), ("nose_bridge", 4), ("nose_base", 5),
    ("right_eye", 6), ("left_eye", 6), ("mouth_outer", 12), ("mouth_inner", 8),
)  # fmt: skip


@dataclass(frozen=True)
class Scheme:
    """A set of landmarks: which of the 68 iBUG points it has, in which order.

    Left and right are the person's own: the right eye (points 36-41) is on the left of the picture.
    """

    name: str
    of_68: tuple[int, ...]

    @property
    def count(self) -> int:
        """K, the number of points."""
        return len(self.of_68)

    def index(self, point_68: int) -> int:
        """Where iBUG point `point_68` stands in this scheme. Raises ValueError if it has no such point."""
        return self.of_68.index(point_68)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """A name for each point, such as `right_eye_0`."""
        names_68 = [f"{part}_{i}" for part, count in _PARTS_68 for i in range(count)]
        return tuple(names_68[i] for i in self.of_68)

    @cached_property
    def mirror(self) -> tuple[int, ...]:
        """Permutation of the points under a mirror: point i of the mirrored face was point `mirror[i]`."""
        partner = {i: i for i in range(68)}
        for a, b in _MIRROR_68_PAIRS:
            partner[a], partner[b] = b, a
        return tuple(self.index(partner[i]) for i in self.of_68)

    @cached_property
    def curves(self) -> tuple[tuple[int, ...], ...]:
        """Polylines through the points, as indices; a closed one repeats its first point."""
        curves = []
        for first, last, closed in _CURVES_68:
            points = [self.index(i) for i in range(first, last + 1) if i in self.of_68]
            if points:
                curves.append(tuple(points + points[:1] if closed else points))
        return tuple(curves)

    @property
    def outer_eye_corners(self) -> tuple[int, int]:
        """The two points whose distance the inter-ocular NME divides by."""
        return self.index(36), self.index(45)


IBUG68 = Scheme("ibug68", tuple(range(68)))
# The 49 points of arXiv 1802.00390: the 68 without the jaw and without the two inner mouth corners.
IBUG49 = Scheme("ibug49", tuple(i for i in range(17, 68) if i not in (60, 64)))
SCHEMES = {scheme.name: scheme for scheme in (IBUG68, IBUG49)}


def scheme_named(name: str) -> Scheme:
    """The scheme called `name`. Raises UsageError."""
    if name not in SCHEMES:
        raise UsageError(f"landmark scheme {name!r} is unknown; take one of {', '.join(SCHEMES)}.")
    return SCHEMES[name]


def convert_scheme(points: Array, source: Scheme, target: Scheme) -> Array:
    """Points `[..., K, 2]` of `source` as points of `target`, which must be a subset. Raises UsageError."""
    missing = set(target.of_68) - set(source.of_68)
    if missing:
        raise UsageError(
            f"{source.name} has no point {min(missing)} of the 68, so it cannot give {target.name}; "
            f"take --scheme {source.name}."
        )
    return points[..., [source.index(i) for i in target.of_68], :]


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
    """Normalised mean error of each face: mean point distance over the distance of the outer eye corners
    of the true points (300-W, "inter-ocular"). `[N, K, 2]`, `[N, K, 2]` -> `[N]`, 0.05 means 5 %."""
    right, left = scheme.outer_eye_corners
    inter_ocular = np.linalg.norm(true[:, right] - true[:, left], axis=-1)
    distance = np.linalg.norm(predicted - true, axis=-1).mean(axis=-1)
    return (distance / np.maximum(inter_ocular, 1e-6)).astype(np.float32)


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
