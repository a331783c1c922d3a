"""A mixture of normal distributions, drawn the same on every platform. Needs no more than NumPy, as it runs on the
device."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmedge.errors import UsageError
from lmedge.quantiles import normal

SMALLEST_SHARE = 2.0**-25  # that a normal number is drawn of: half of the least random number
MOST_PARTS = 64
LEAST_SPREAD = 1e-9  # added to variances, as rounded factors may leave a little less than nothing
LEAST_WEIGHT = 1e-9  # of a part, of the sum of all
FORM = {"weights": list, "means": list, "factors": list}

Row = tuple[float, ...]


@dataclass(frozen=True)
class Mixture:
    """`weights` `[M]` that add up to 1, `means` `[M, n]`, and the `factors` of the parts' covariances (Cholesky), of
    each the lower half, row by row: `[M, n (n + 1) / 2]`."""

    weights: Row
    means: tuple[Row, ...]
    factors: tuple[Row, ...]

    @property
    def size(self) -> int:
        """n, numbers of a draw."""
        return len(self.means[0])

    @cached_property
    def arrays(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Where the parts end on 0..1 `[M]`, means `[M, n]`, factors `[M, n, n]`."""
        factors = np.zeros((len(self.weights), self.size, self.size))
        factors[:, *np.tril_indices(self.size)] = np.array(self.factors)
        return np.cumsum(self.weights), np.array(self.means), factors

    @cached_property
    def deviations(self) -> NDArray[np.float64]:
        """Root mean square of each number that is drawn, `[n]`."""
        _, means, factors = self.arrays
        squares = means**2 + (factors**2).sum(axis=-1)  # [M, n]
        return np.sqrt(np.average(squares, axis=0, weights=self.weights))

    def quantile(self, share: NDArray[np.float64]) -> NDArray[np.float64]:
        """Draws `[..., n]` from evenly spread numbers 0..1 `[..., n]`.

        The first of them chooses the part, and what is left of it, spread over 0..1 again, is the first of n normal
        numbers, which the factor joins. Sums go from left to right, so that other languages get the same bits.
        """
        ends, means, factors = self.arrays
        part = np.minimum(np.searchsorted(ends, share[..., 0], side="right"), len(ends) - 1)
        begins = np.where(part > 0, ends[part - 1], 0.0)
        rest = (share[..., 0] - begins) / np.array(self.weights)[part]
        spread = np.concatenate([rest[..., None], share[..., 1:]], axis=-1)
        normals = normal(np.clip(spread, SMALLEST_SHARE, 1 - SMALLEST_SHARE))
        drawn = means[part]
        for j in range(self.size):
            drawn = drawn + factors[part][..., :, j] * normals[..., j, None]
        return drawn

    def given(self, known: NDArray[np.bool_], values: NDArray[np.float64], tolerance: float) -> "Mixture":
        """What the other numbers are drawn from once those `known` `[n]` have about these `values`, give or take the
        deviation `tolerance`: of each part the conditional normal distribution, and parts weigh as much as they explain
        the values (Bishop 2006, equations 2.81 and 2.82, and Bayes' theorem)."""
        means, factors, logs = [], [], []
        spread = self.arrays[2] @ self.arrays[2].transpose(0, 2, 1)
        for weight, mean, covariance in zip(self.weights, self.arrays[1], spread, strict=True):
            between = covariance[np.ix_(~known, known)]
            within = np.linalg.cholesky(covariance[np.ix_(known, known)] + tolerance**2 * np.eye(int(known.sum())))
            off = np.linalg.solve(within, values - mean[known])
            pull = np.linalg.solve(within, between.T)  # within^-1 times the covariance with the others
            logs.append(np.log(weight) - np.log(np.diag(within)).sum() - (off**2).sum() / 2)
            means.append(mean[~known] + pull.T @ off)
            left = covariance[np.ix_(~known, ~known)] - pull.T @ pull
            factors.append(np.linalg.cholesky(left + LEAST_SPREAD * np.eye(len(left))))
        weights = np.exp(np.array(logs) - max(logs))
        kept = np.flatnonzero(weights > LEAST_WEIGHT * weights.sum())
        weights, lower = weights[kept] / weights[kept].sum(), np.tril_indices(int((~known).sum()))
        return Mixture(
            tuple(weights.tolist()),
            tuple(tuple(means[i].tolist()) for i in kept),
            tuple(tuple(factors[i][lower].tolist()) for i in kept),
        )

    def check(self) -> None:
        """Raises UsageError for one that cannot be drawn."""
        parts, rows = len(self.weights), (self.means, self.factors)
        size = len(self.means[0]) if self.means else 0
        lengths = (size, size * (size + 1) // 2)
        if not 0 < parts <= MOST_PARTS or not size:
            raise UsageError(f"a mixture has {parts} parts of {size} numbers; take 1 to {MOST_PARTS}.")
        if any(len(row) != parts for row in rows) or any(
            len(each) != length for row, length in zip(rows, lengths, strict=True) for each in row
        ):
            raise UsageError(f"a mixture of {parts} parts has means or factors of another number.")
        numbers = np.array([*self.weights, *(x for row in rows for each in row for x in each)])
        if not np.isfinite(numbers).all() or np.abs(numbers).max() > 1e6 or min(self.weights) <= 0:
            raise UsageError("a mixture has numbers that nothing can be drawn with.")
        if not self.deviations.any():
            raise UsageError("a mixture draws the same numbers again and again.")
        if abs(sum(self.weights) - 1) > 1e-6:
            raise UsageError(f"the weights of a mixture add up to {sum(self.weights):g}, not to 1.")

    def to_json(self) -> dict[str, Any]:
        """An object of FORM."""
        return {"weights": list(self.weights), "means": list(map(list, self.means)),
                "factors": list(map(list, self.factors))}  # fmt: skip

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "Mixture":
        """From an object of FORM. Raises ValueError, TypeError or OverflowError for lists of other things than
        numbers."""
        weights, means, factors = (value[name] for name in FORM)
        return cls(row(weights), tuple(map(row, means)), tuple(map(row, factors)))


def rounded(values: NDArray[np.float64]) -> Row:
    """Fitted numbers `[n]`, as runs and bundles keep them."""
    return tuple(float(f"{value:.7g}") for value in values)


def row(values: Any) -> Row:
    """A list of numbers. Raises ValueError, TypeError or OverflowError for anything else."""
    if not isinstance(values, list) or any(isinstance(x, bool) or not isinstance(x, int | float) for x in values):
        raise ValueError("no numbers")
    return tuple(float(x) for x in values)
