"""What is compared, and how sure a comparison is."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Errors = NDArray[np.float32]  # `[seeds, test faces]`
RESAMPLES = 2000


@dataclass(frozen=True)
class Arm:
    """What a detector learns from; `classical`: faces are mirrored, turned, moved, lit, blurred, hidden in part."""

    name: str
    real: bool
    synthetic: bool
    classical: bool


ARMS = (
    Arm("real", True, False, False),
    Arm("real + classical", True, False, True),
    Arm("real + synthetic", True, True, False),
    Arm("real + synthetic + classical", True, True, True),
    Arm("synthetic + classical", False, True, True),
)
BASELINE, HELPED = ARMS[1].name, ARMS[3].name


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
