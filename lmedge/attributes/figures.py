"""How good a network of attributes is, on faces of people that it never saw."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

BINS = 15  # of the calibration error


@dataclass(frozen=True)
class Measured:
    """Figures of an attribute, on `yes` faces that have it and `no` that do not: `balanced_accuracy` with its standard
    `error`, nan without a face of each, and the expected calibration error, `ece`."""

    name: str
    balanced_accuracy: float
    error: float
    ece: float
    yes: int
    no: int

    @property
    def known(self) -> bool:
        """Could it be measured?"""
        return not math.isnan(self.balanced_accuracy)

    def to_json(self) -> dict[str, Any]:
        """All but the name; None for what could not be measured."""
        figures = {name: value for name, value in vars(self).items() if name != "name"}
        return {name: None if math.isnan(value) else value for name, value in figures.items()}


def measured(name: str, probability: NDArray[np.floating], value: NDArray[np.float32], prevalence: float) -> Measured:
    """Figures of probabilities `[N]` against values `[N]`, of which those that are unknown do not count. Yes is what is
    more likely than the `prevalence` of the attribute: for probabilities, the answer with the best balanced
    accuracy."""
    known = ~np.isnan(value)
    probability, has = probability[known], value[known] > 0
    said = probability > prevalence
    right = [(said == has)[has == answer] for answer in (True, False)]
    yes, no = (len(part) for part in right)
    if not yes or not no:
        return unmeasured(name, value)
    shares = [float(part.mean()) for part in right]
    error = sum(share * (1 - share) / len(part) for share, part in zip(shares, right, strict=True)) ** 0.5 / 2
    return Measured(name, sum(shares) / 2, error, calibration_error(probability, has), yes, no)


def unmeasured(name: str, value: NDArray[np.float32]) -> Measured:
    """What is left to say of an attribute that nothing measures: how many of values `[N]` are yes, and how many no."""
    nan = float("nan")
    return Measured(name, nan, nan, nan, int((value > 0).sum()), int((value < 0).sum()))


def calibration_error(probability: NDArray[np.floating], has: NDArray[np.bool_]) -> float:
    """The expected calibration error (Guo et al., arXiv 1706.04599): by how much the mean probability and the share of
    faces that have it differ, over bins of equal width, each counted by its faces."""
    bins = np.minimum((probability * BINS).astype(int), BINS - 1)
    apart = np.bincount(bins, probability - has, BINS)
    return float(np.abs(apart).sum() / len(has))
