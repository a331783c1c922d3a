"""How well features know people: what was found on pairs of faces of persons whom their network never saw."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmedge.errors import LmedgeError
from lmedge.storage import check_form, read_json

WHAT = "the record of `scripts/train_features`"
FORM = {"accuracy": float, "area": float, "pairs": int, "persons": int}
DISTANCES = {"threshold": float, "same": list, "other": list}  # which were not noted at first
PERCENTILES = np.linspace(0, 100, 101)


@dataclass(frozen=True)
class Verified:
    """How well features tell two faces of one person from two of different ones, on `persons` that the network never
    saw: `accuracy` at the best `threshold` and `area` under the ROC curve, over so many `pairs`, half of each kind.

    Two faces count as of one person where their distance, 1 - the cosine of their features, is at most `threshold`.
    `same` and `other` are the percentiles 0 to 100 of the distances of pairs of one person, and of two.
    """

    accuracy: float
    area: float
    pairs: int
    persons: int
    threshold: float
    same: tuple[float, ...]
    other: tuple[float, ...]

    @classmethod
    def of(cls, same: NDArray[np.float32], other: NDArray[np.float32], persons: int) -> "Verified":
        """From the distances of pairs of one person, and of as many pairs of two."""
        accuracy, area, threshold = told_apart(same, other)
        spread = [tuple(np.percentile(kind, PERCENTILES).round(4).tolist()) for kind in (same, other)]
        return cls(accuracy, area, len(same) + len(other), persons, threshold, *spread)

    @classmethod
    def read(cls, path: Path) -> "Verified":
        """From JSON. Raises LmedgeError where it is damaged, or of a version that noted no distances."""
        facts = read_json(path, WHAT, FORM)
        if not DISTANCES.keys() <= facts.keys():
            raise LmedgeError(
                f"{path} does not say how far apart faces of one person are; run `scripts/train_features` again, which "
                "verifies a network that is there."
            )
        check_form(facts, DISTANCES, str(path), WHAT)
        same, other = (_percentiles(facts[name], f"{path}, {name!r},") for name in ("same", "other"))
        return cls(**{name: facts[name] for name in FORM}, threshold=facts["threshold"], same=same, other=other)

    def to_json(self) -> dict[str, Any]:
        """As files have it."""
        return asdict(self)

    def further(self, distance: float) -> float:
        """The share of the pairs of one person that are further apart."""
        return 1 - _below(self.same, distance)

    def nearer(self, distance: float) -> float:
        """The share of the pairs of two persons that are nearer to each other."""
        return _below(self.other, distance)


def _below(percentiles: tuple[float, ...], distance: float) -> float:
    return float(np.interp(distance, percentiles, PERCENTILES / 100, left=0, right=1))


def _percentiles(values: list[Any], where: str) -> tuple[float, ...]:
    numbers = dict(zip(map(str, range(len(PERCENTILES))), values, strict=False))
    check_form(numbers, dict.fromkeys(map(str, range(len(PERCENTILES))), float), where, WHAT)
    if sorted(values) != values or len(values) > len(PERCENTILES):
        raise LmedgeError(f"{where} has no percentiles; run `scripts/train_features` again.")
    return tuple(values)


def told_apart(same: NDArray[np.float32], other: NDArray[np.float32]) -> tuple[float, float, float]:
    """The best accuracy of a threshold between two sets of distances, the area under the ROC curve, which is the share
    of couples of a distance of each in which that of the same is smaller, and that threshold."""
    distances = np.concatenate([same, other])
    order = np.argsort(distances, kind="stable")
    kinds = np.concatenate([np.ones(len(same)), np.zeros(len(other))])[order]
    accepted, wrongly = np.cumsum(kinds), np.cumsum(1 - kinds)  # pairs of either kind that are at most so far apart
    accuracies = (accepted / len(same) + 1 - wrongly / len(other)) / 2
    best = int(np.argmax(accuracies))
    area = float((accepted * (1 - kinds)).sum() / (len(same) * len(other)))
    return float(accuracies[best]), area, float(distances[order][best])
