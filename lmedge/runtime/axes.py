"""What the axes of a space of shapes do to a face, in words."""

import re

import numpy as np
from numpy.typing import NDArray

from lmedge.scheme import Scheme
from lmedge.shapes import ShapeSpace

_PART = re.compile(r"(left|right)?[_ ]?([^\W\d_]+)")  # brow of `right_brow_0`, mouth of `mouth_outer_11`
WHOLE = "face"


def effects(space: ShapeSpace, scheme: Scheme, count: int) -> list[tuple[str, int]]:
    """Of each of the first `count` axes what it moves most, and in which direction of the axis (1 or -1) to the right,
    up, wider or taller: `("Mouth width", 1)`. No two have the same name."""
    mean, axes = (np.array(points).reshape(-1, scheme.count, 2) for points in (space.mean, space.axes))
    named: dict[str, int] = {}
    for axis in axes[:count]:
        told = _told(mean[0], axis, _parts(scheme))
        name = max((name for name in told if name not in named), key=lambda name: abs(told[name]))
        named[name] = 1 if told[name] > 0 else -1
    return list(named.items())


def _parts(scheme: Scheme) -> dict[str, list[int]]:
    """The points of each part of the face, by what their names begin with; those of the whole where they tell none."""
    parts: dict[str, list[int]] = {}
    for i, name in enumerate(scheme.names):
        found = _PART.match(name.lower())
        parts.setdefault(found[2] + "s" * bool(found[1]) if found else WHOLE, []).append(i)
    return parts if len(parts) > 1 else {WHOLE: list(range(scheme.count))}


def _told(mean: NDArray[np.float64], axis: NDArray[np.float64], parts: dict[str, list[int]]) -> dict[str, float]:
    """How far an axis `[K, 2]` takes each part of a mean face `[K, 2]` in each way, in shares of the picture."""
    told: dict[str, float] = {}
    for name, points in parts.items():
        side = np.sign(mean[points] - mean[points].mean(axis=0))
        (x, y), (width, height) = axis[points].mean(axis=0), (axis[points] * side).mean(axis=0)
        told |= {f"{name} sideways": x, f"{name} up": -y, f"{name} width": width, f"{name} height": height}
    return {name.capitalize(): float(amount) for name, amount in told.items()}
