"""What is compared, and how sure a comparison is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Errors = NDArray[np.float32]  # `[seeds, test faces]`
RESAMPLES = 2000


@dataclass(frozen=True)
class Arm:
    """What a detector learns from. `made`: where its generated faces come from, if it has any: `drawn` anew,
    `mixed` of two real faces, or mixed by a network that learns it beside the detector (`smart`). `classical`: faces
    are mirrored, turned, moved, lit, blurred, hidden in part."""

    name: str
    real: bool
    made: Literal["drawn", "mixed", "smart"] | None
    classical: bool

    @property
    def slug(self) -> str:
        """The name as files and --arms have it."""
        return self.name.replace(" ", "")

    @property
    def mixes(self) -> bool:
        """Does it need latents of real faces?"""
        return self.made in ("mixed", "smart")


ARMS = (
    Arm("real", True, None, False),
    Arm("real + classical", True, None, True),
    Arm("real + synthetic", True, "drawn", False),
    Arm("real + synthetic + classical", True, "drawn", True),
    Arm("synthetic + classical", False, "drawn", True),
    Arm("real + mixed", True, "mixed", False),
    Arm("real + mixed + classical", True, "mixed", True),
    Arm("real + smart", True, "smart", False),
    Arm("real + smart + classical", True, "smart", True),
)
BASELINE, HELPED = ARMS[1].name, ARMS[3].name
MIXED, SMART = ARMS[6].name, ARMS[8].name
# Which arm is compared with which, and what it has that the other lacks.
COMPARED = {
    (HELPED, BASELINE): "generated ones",
    (MIXED, BASELINE): "mixed ones",
    (SMART, BASELINE): "mixed ones of a network that learns it",
    (SMART, MIXED): "a network that learns to mix",
}


def arms_called(slugs: Sequence[str]) -> list[Arm]:
    """Arms by what --arms calls them, in the order of `ARMS`."""
    return [arm for arm in ARMS if arm.slug in slugs]


@dataclass(frozen=True)
class Interval:
    """A figure with its 95 % confidence interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.2%} ({self.low:.2%} to {self.high:.2%})"


def resampled(shape: tuple[int, int], seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Bootstrap draws of seeds `[R, seeds]` and of test faces `[R, faces]`, each by itself (Efron, Tibshirani 1993): a
    detector's training and a test face are both chance."""
    random = np.random.default_rng(seed)
    seeds, faces = shape
    return random.integers(0, seeds, (RESAMPLES, seeds)), random.integers(0, faces, (RESAMPLES, faces))


def mean_error(errors: Errors) -> Interval:
    """Mean NME over seeds and test faces."""
    return _interval(float(errors.mean()), _means(errors))


def lowered(errors: Errors, baseline: Errors) -> Interval:
    """By which share the mean NME is lower than the baseline's, of the same seeds and test faces."""
    draws = 1 - _means(errors) / _means(baseline)
    return _interval(float(1 - errors.mean() / baseline.mean()), draws)


def _means(errors: Errors) -> NDArray[np.float64]:
    seeds, faces = resampled((errors.shape[0], errors.shape[1]), 0)
    return np.array([errors[np.ix_(s, f)].mean() for s, f in zip(seeds, faces, strict=True)], np.float64)


def _interval(value: float, draws: NDArray[np.float64]) -> Interval:
    low, high = np.percentile(draws, (2.5, 97.5))
    return Interval(value, float(low), float(high))
