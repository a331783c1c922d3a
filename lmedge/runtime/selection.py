"""Which of the drawn faces are wanted, and what was seen on the way."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lmedge.bounds import require
from lmedge.errors import LmedgeError, UsageError
from lmedge.pose import POINTS, degrees, pose
from lmedge.runtime.faces import Faces
from lmedge.scheme import Scheme

HOPELESS = 1000  # faces drawn for each that is wanted, before the search is given up
Range = tuple[float, float]
Seen = dict[str, Range]  # option -> lowest and highest value


@dataclass(frozen=True)
class Selection:
    """Ranges, both ends included; None wants every face.

    `confidence` 0..1; `yaw` in degrees, positive where the nose points to the right of the picture; `mouth_open`, how
    far the inner lips are apart, in inter-ocular distances. Pose is read off the face's own landmarks.
    """

    confidence: Range | None = None
    yaw: Range | None = None
    mouth_open: Range | None = None

    def check(self) -> None:
        """Raises UsageError for a range that nothing can lie in."""
        for option, lowest, highest, wanted in (("--yaw", -90, 90, self.yaw), ("--mouth-open", 0, 2, self.mouth_open)):
            for end in wanted or ():
                require(option, end, lowest, highest)
            if wanted and wanted[0] > wanted[1]:
                raise UsageError(f"{option} {wanted[0]:g} {wanted[1]:g}: the lower end comes first.")

    @property
    def wants_all(self) -> bool:
        return not (self.confidence or self.yaw or self.mouth_open)

    @property
    def poses(self) -> dict[str, Range]:
        """The ranges of pose that are asked for, by option."""
        ranges = {"--yaw": self.yaw, "--mouth-open": self.mouth_open}
        return {option: wanted for option, wanted in ranges.items() if wanted}

    def values(self, faces: Faces, scheme: Scheme) -> dict[str, NDArray[np.float32]]:
        """What is measured of the faces, `[N]` each, by the option that asks for it."""
        found: dict[str, NDArray[np.float32]] = {}
        if self.confidence and faces.confidence is not None:
            found["--min-confidence"] = faces.confidence
        if self.yaw or self.mouth_open:
            turned, gap = pose(faces.landmarks, scheme)
            found |= {"--yaw": degrees(turned)} if self.yaw and turned is not None else {}
            if self.mouth_open and gap is not None:
                found["--mouth-open"] = np.maximum(gap, 0).astype(np.float32)  # lips that cross are shut
        return found

    def wanted(self, faces: Faces, scheme: Scheme) -> tuple[NDArray[np.bool_], Seen]:
        """`[N]`: is the face wanted? And the extremes of what was measured."""
        values = self.values(faces, scheme)
        ranges = {"--min-confidence": self.confidence, "--yaw": self.yaw, "--mouth-open": self.mouth_open}
        inside = np.ones(len(faces), bool)
        for option, measured in values.items():
            low, high = ranges[option] or (-np.inf, np.inf)
            inside &= (measured >= low) & (measured <= high)
        return inside, {option: (float(v.min()), float(v.max())) for option, v in values.items() if len(v)}

    def __str__(self) -> str:
        parts = [f"--min-confidence {self.confidence[0]:g}"] if self.confidence else []
        return " ".join(parts + [f"{name} {low:g} {high:g}" for name, (low, high) in self.poses.items()])


def above(confidence: float) -> Range | None:
    """The range of `--min-confidence`, 0 for every face. Raises UsageError for a number that is no confidence."""
    require("--min-confidence", confidence, 0, 1)
    return (confidence, 1.0) if confidence else None


def check_confidence(selection: Selection, knows: bool, where: object) -> None:
    """Raises UsageError where a confidence is asked of a model that gives none."""
    if selection.confidence and not knows:
        raise UsageError(
            f"--min-confidence {selection.confidence[0]:g}: the model in {where} gives no confidence; train L-Gen "
            "again and export the run."
        )


def check_pose(selection: Selection, scheme: Scheme) -> None:
    """Raises UsageError where a pose is asked for that the landmarks do not tell."""
    for option, (low, high) in selection.poses.items():
        missing = [point for point in POINTS[option] if not scheme.has(point)]
        if missing:
            raise UsageError(
                f"{option} {low:g} {high:g}: the landmark scheme {scheme} has no {missing[0]}, by which that is "
                "measured; leave it out."
            )


def widened(seen: Seen, more: Seen) -> Seen:
    """The extremes of both."""
    return seen | {
        option: (min(low, seen.get(option, (low, high))[0]), max(high, seen.get(option, (low, high))[1]))
        for option, (low, high) in more.items()
    }


class Tally:
    """Counts of a search, so that one without hope ends."""

    def __init__(self, selection: Selection):
        self.selection, self.looked, self.found = selection, 0, 0
        self.seen: Seen = {}

    def add(self, looked: int, found: int, seen: Seen) -> None:
        """Notes some faces. Raises LmedgeError, with the extremes that were seen, where hardly one is wanted."""
        self.looked += looked
        self.found += found
        self.seen = widened(self.seen, seen)
        if self.looked >= HOPELESS * (self.found + 1):
            extremes = ", ".join(f"{option} {low:.2f} to {high:.2f}" for option, (low, high) in self.seen.items())
            raise LmedgeError(
                f"{self.selection}: {self.found} of {self.looked} faces reach it; seen were {extremes}; ask for less."
            )

    @property
    def share(self) -> float:
        """Of the faces, those that were wanted."""
        return self.found / max(self.looked, 1)

    @property
    def note(self) -> str:
        """What progress says of it."""
        return "" if self.selection.wants_all else f"{self.share:.1%} of the drawn ones are kept"
