"""Landmark schemes: which points a face has, how they mirror, which lines they draw, where each comes from.

Built in, or read from a JSON file; datasets, runs and bundles carry theirs whole. Needs no more than NumPy, as it runs
on the device.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lmedge.errors import LmedgeError, UsageError, nearest
from lmedge.storage import read_json

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MOST_POINTS = 1000
LONGEST_NAME, LONGEST_CURVES = 100, 10_000  # characters; points of all curves together
WHAT = "a landmark scheme"
# Of the object: type, and what to write.
PARTS = {
    "name": (str, "a text"),
    "names": (list, "a list of what the points are called"),
    "mirror": (list, "a list of indices: for each point that of the one it changes places with in a mirror"),
    "curves": (list, "a list of lists of indices, or []"),
    "reference": (list, "a list of the indices of two points, whose distance errors are divided by"),
    "origin": (list, "a list that says of each point what it is, such as ibug68/36, facemesh/33 or hand"),
}
HAND = "hand"  # the origin of a point that people place


@dataclass(frozen=True)
class Scheme:
    """A set of K landmarks, in an order.

    `names` of the points, each once. `mirror`: point i of a mirrored face was point `mirror[i]`. `curves`: polylines
    through the points, as indices; a closed one repeats its first. `reference`: the two points whose distance errors
    are divided by. `origin` of each point: `ibug68/36` (a point of iBUG's 68), `facemesh/33` (a vertex of Face Mesh),
    or `hand`; points of two schemes with the same origin, or both of hand and with the same name, are the same.

    Left and right are the person's own: the right eye is on the left of the picture.
    """

    name: str
    names: tuple[str, ...]
    mirror: tuple[int, ...]
    curves: tuple[tuple[int, ...], ...]
    reference: tuple[int, int]
    origin: tuple[str, ...]

    @property
    def count(self) -> int:
        """K, the number of points."""
        return len(self.names)

    @cached_property
    def points(self) -> tuple[str, ...]:
        """What each point is, whatever the scheme: its origin, or of one placed by hand `hand/NAME`."""
        return tuple(f"{HAND}/{n}" if o == HAND else o for n, o in zip(self.names, self.origin, strict=True))

    def __str__(self) -> str:
        return self.name

    @cached_property
    def places(self) -> Mapping[str, int]:
        """Where each of `points` stands in this scheme."""
        return {point: i for i, point in enumerate(self.points)}

    def index(self, point: str) -> int:
        """Where a point (`ibug68/30`) stands in this scheme. Raises UsageError if it has no such point."""
        if point not in self.places:
            raise UsageError(f"the landmark scheme {self} has no point {point}, which is needed here.")
        return self.places[point]

    def has(self, *points: str) -> bool:
        """Are all of these (`ibug68/30`) points of this scheme?"""
        return all(point in self.places for point in points)

    def to_json(self) -> dict[str, Any]:
        """As datasets, runs and bundles have it, and as a file of `--scheme` may."""
        return {name: _listed(value) for name, value in asdict(self).items()}

    @classmethod
    def from_json(cls, value: Any, where: str) -> Scheme:
        """The inverse of `to_json`; `where` it stands. Raises LmedgeError for what is no scheme."""
        if not isinstance(value, dict):
            raise LmedgeError(f"{where} has {value!r:.80} for a landmark scheme; make it again.")
        refuse = _Refusal(where)
        refuse.parts(value)
        names, origin, mirror, pair = value["names"], value["origin"], value["mirror"], value["reference"]
        count = len(names)
        refuse.unless(0 < count <= MOST_POINTS, f"{count} points", f"name 1 to {MOST_POINTS}")
        for text in origin:
            refuse.unless(isinstance(text, str), f"the origin {text!r:.60}", "write a text such as hand")
        for name in (value["name"], *names, *(part for text in origin for part in text.split("/"))):
            refuse.unless(_is_name(name), f"the name {name!r:.60}", "begin names with a letter, a digit or _, end them "
                          f"with no space, and take up to {LONGEST_NAME} characters but / and \\")  # fmt: skip
        refuse.once(names, "points called")
        refuse.unless(len(origin) == count, f"{len(origin)} origins for {count} points", "say one for each")
        each = f"each index from 0 to {count - 1}"
        refuse.unless(_indices(mirror, count) and sorted(mirror) == list(range(count)),
                      "a mirror that is no permutation", f"list {each} once")  # fmt: skip
        refuse.unless(all(mirror[mirror[i]] == i for i in range(count)), "a mirror that is not its own inverse",
                      "let points change places in pairs")  # fmt: skip
        refuse.unless(all(_indices(curve, count) and len(curve) > 1 for curve in value["curves"]),
                      "curves through points that there are not, or through fewer than two",
                      f"list two or more in each, of 0 to {count - 1}")  # fmt: skip
        refuse.unless(sum(map(len, value["curves"])) <= LONGEST_CURVES, "curves through too many points",
                      f"list up to {LONGEST_CURVES}")  # fmt: skip
        refuse.unless(_indices(pair, count) and len(set(pair)) == len(pair) == 2,
                      f"the reference {pair!r:.60}, not two points",
                      f"name two of 0 to {count - 1}")  # fmt: skip
        scheme = cls(value["name"], tuple(names), tuple(mirror), tuple(map(tuple, value["curves"])), (pair[0], pair[1]),
                     tuple(origin))  # fmt: skip
        refuse.once(scheme.points, "points of the origin")
        for i, partner in _known_partners(scheme):
            refuse.unless(mirror[i] == partner, f"a mirror that takes {names[i]} to {names[mirror[i]]}",
                          f"write {partner} ({names[partner]}) at place {i} of it")  # fmt: skip
        return scheme


class _Refusal:
    """Says what is wrong `where` a scheme stands, and what to write instead."""

    def __init__(self, where: str):
        self.where = where

    def unless(self, good: bool, what: str, instead: str) -> None:
        if not good:
            raise LmedgeError(f"{self.where} has {what}; {instead}.")

    def parts(self, value: Mapping[str, Any]) -> None:
        for name, (kind, meant) in PARTS.items():
            if name not in value:
                raise LmedgeError(f"{self.where} lacks {name!r}; add it, {meant}.")
            self.unless(isinstance(value[name], kind), f"{value[name]!r:.80} for {name!r}", f"write {meant}")
        for name in value:
            if name not in PARTS:
                self.unless(False, f"{name!r:.80}, which is no part of {WHAT}", nearest(name, PARTS).rstrip("."))

    def once(self, texts: Sequence[str], what: str) -> None:
        twice = next((text for i, text in enumerate(texts) if text in texts[:i]), "")
        self.unless(not twice, f"two {what} {twice!r}", "let each be another")


def _is_name(text: Any) -> bool:
    """One that may stand in tables, file names and between the slashes of an origin."""
    return (
        isinstance(text, str) and 0 < len(text) <= LONGEST_NAME and text.isprintable() and not set(text) & set("/\\")
        and (text[0].isalnum() or text[0] == "_") and not text.endswith(" ")
    )  # fmt: skip


def _indices(values: Any, count: int) -> bool:
    return isinstance(values, list) and all(type(v) is int and 0 <= v < count for v in values)


def _known_partners(scheme: Scheme) -> Iterator[tuple[int, int]]:
    """Points and those that they change places with in a mirror, as far as a file alone says: by their origin in the
    68, and by left and right in the names of those that stay where they are."""
    for i, point in enumerate(scheme.points):
        if point in _MIRROR_68 and _MIRROR_68[point] in scheme.places:
            yield i, scheme.places[_MIRROR_68[point]]
    lower = [name.lower() for name in scheme.names]
    for i, name in enumerate(lower):
        other = _SIDE.sub(lambda found: _OTHER_SIDE[found[0]], name)
        if scheme.mirror[i] == i and other in lower:
            yield i, lower.index(other)


# A word for a side: l and r only where no letter is beside them.
_SIDE = re.compile(r"left|right|(?<![^\W\d_])[lr](?![^\W\d_])")
_OTHER_SIDE = {"left": "right", "right": "left", "l": "r", "r": "l"}


def _listed(value: Any) -> Any:
    return [_listed(each) for each in value] if isinstance(value, tuple) else value


# Pairs of iBUG 68 points that change places in a mirror; the others (8, 27-30, 33, 51, 57, 62, 66) stay.
_MIRROR_68_PAIRS = (
    *((i, 16 - i) for i in range(8)),  # jaw
    *((17 + i, 26 - i) for i in range(5)),  # brows
    (31, 35), (32, 34),  # nostrils
    (36, 45), (37, 44), (38, 43), (39, 42), (40, 47), (41, 46),  # eyes
    (48, 54), (49, 53), (50, 52), (59, 55), (58, 56),  # outer mouth
    (60, 64), (61, 63), (67, 65),  # inner mouth
)  # fmt: skip

_PARTNER_68 = {i: i for i in range(68)} | {a: b for pair in _MIRROR_68_PAIRS for a, b in (pair, pair[::-1])}
_MIRROR_68 = {f"ibug68/{i}": f"ibug68/{j}" for i, j in _PARTNER_68.items()}

# Curves of the 68 points as (first, last, closed), for drawing.
_CURVES_68 = (
    (0, 16, False), (17, 21, False), (22, 26, False), (27, 30, False), (31, 35, False),
    (36, 41, True), (42, 47, True), (48, 59, True), (60, 67, True),
)  # fmt: skip

_PARTS_68 = (
    ("jaw", 17), ("right_brow", 5), ("left_brow", 5), ("nose_bridge", 4), ("nose_base", 5),
    ("right_eye", 6), ("left_eye", 6), ("mouth_outer", 12), ("mouth_inner", 8),
)  # fmt: skip


def ibug(name: str, of_68: Sequence[int]) -> Scheme:
    """Some of iBUG's 68 points, in an order; the outer eye corners (36 and 45) must be among them."""
    names_68 = [f"{part}_{i}" for part, count in _PARTS_68 for i in range(count)]
    at = {point: i for i, point in enumerate(of_68)}
    curves = []
    for first, last, closed in _CURVES_68:
        points = [at[i] for i in range(first, last + 1) if i in at]
        if len(points) > 1:
            curves.append(tuple(points + points[:1] if closed else points))
    return Scheme(
        name, tuple(names_68[i] for i in of_68), tuple(at[_PARTNER_68[i]] for i in of_68), tuple(curves),
        (at[36], at[45]), tuple(f"ibug68/{i}" for i in of_68),
    )  # fmt: skip


IBUG68 = ibug("ibug68", range(68))
# The 49 points of arXiv 1802.00390: the 68 without the jaw and without the two inner mouth corners.
IBUG49 = ibug("ibug49", [i for i in range(17, 68) if i not in (60, 64)])
BUILT_IN = {scheme.name: scheme for scheme in (IBUG68, IBUG49)}


def scheme_of(name: str, option: str = "--scheme") -> Scheme:
    """The scheme that an option names: a built-in one, or a JSON file. Raises UsageError, and LmedgeError for a file
    that holds none."""
    if name in BUILT_IN:
        return BUILT_IN[name]
    if not Path(name).is_file():
        raise UsageError(f"{option} {name} is neither one of {', '.join(BUILT_IN)} nor a JSON file.")
    scheme = Scheme.from_json(read_json(Path(name), WHAT), name)
    if scheme != BUILT_IN.get(scheme.name, scheme):
        raise UsageError(f"{option} {name} is called {scheme} and is not the built-in scheme of that name; rename it.")
    return scheme


def chosen(points: NDArray[np.float32], known: Mapping[str, int], target: Scheme, whose: str) -> NDArray[np.float32]:
    """The points `[..., K, 2]` of `target` among `points` `[..., N, 2]`, of which `known` says what stands where
    (`ibug68/30` -> index). Raises UsageError where one is not `known`; `whose` the points are."""
    refuse_missing(known, target, whose)
    return points[..., [known[point] for point in target.points], :]


def refuse_missing(known: Container[str], target: Scheme, whose: str) -> None:
    """Raises UsageError where a point of `target` is not among those `known`; `whose` these are."""
    for name, point in zip(target.names, target.points, strict=True):
        if point not in known:
            raise UsageError(f"{whose} has no {name} ({point}), so it cannot give {target}; take another --scheme.")


def converted(points: NDArray[np.float32], source: Scheme, target: Scheme) -> NDArray[np.float32]:
    """Points `[..., K, 2]` of `source` as points of `target`. Raises UsageError where `source` lacks one of them."""
    return chosen(points, source.places, target, f"the landmark scheme {source}")
