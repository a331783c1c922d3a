"""A ridge regression that is as strong as the labels are likely to want it: what there is to learn from few faces. It
is the Gaussian process of a linear kernel, so it says how unsure it is, and what it would say of a face left out.
Equations of Rasmussen and Williams, Gaussian Processes for Machine Learning (2006)."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
OFFSET = 1e3  # variance of the mean, which is not known beforehand; that of a label is 1
STRENGTHS = (0.0, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)  # of the slopes, that are tried


class Ridge:
    """Learnt from `inputs` `[N, d]` and what goes with them, `wanted` `[N, D]`, at the strength of the slopes under
    which that is likeliest."""

    def __init__(self, inputs: Array, wanted: Array):
        self.inputs, self.wanted = inputs, wanted
        self.strength = max(STRENGTHS, key=self._evidence)
        self.inverse = np.linalg.inv(_labels(inputs, self.strength))
        scale = np.einsum("nd,nm,md->d", wanted, self.inverse, wanted) / len(wanted)
        self.scale = np.maximum(scale, 1e-12)  # variance of a label

    def _evidence(self, strength: float) -> float:
        """The logarithm of how likely the labels are (equation 2.30), up to a constant; each output has the variance
        under which it is likeliest."""
        factor = np.linalg.cholesky(_labels(self.inputs, strength))
        white = np.linalg.solve(factor, self.wanted)
        variances = np.maximum((white**2).mean(axis=0), 1e-12)
        count, outputs = self.wanted.shape
        return float(-0.5 * count * np.log(variances).sum() - outputs * np.log(np.diag(factor)).sum())

    def __call__(self, inputs: Array) -> tuple[Array, Array]:
        """Of other inputs `[M, d]`: the mean `[M, D]` (equation 2.25), and the deviation of a label there (2.26)."""
        shared = _shared(inputs, self.inputs, self.strength)
        weighted = shared @ self.inverse
        own = OFFSET + self.strength * (inputs**2).sum(axis=1)
        spread = np.maximum(own - (weighted * shared).sum(axis=1), 0) + 1
        return weighted @ self.wanted, np.sqrt(spread[:, None] * self.scale)

    def left_out(self) -> tuple[Array, Array]:
        """The same of each of those that were learnt from, as if it had not been (equation 5.12)."""
        own = np.diag(self.inverse)[:, None]
        return self.wanted - self.inverse @ self.wanted / own, np.sqrt(self.scale / own)


def least_sure(inputs: Array, pool: Array, strength: float, count: int) -> NDArray[np.int64]:
    """Which of `pool` `[M, d]` to label next, `count` of them, one after another: the one of which a regression is
    least sure that has learnt from `inputs` `[N, d]` and those that were chosen before. Labels do not matter for that.
    """
    shared = _shared(pool, inputs, strength)
    spread = _shared(pool, pool, strength) - shared @ np.linalg.solve(_labels(inputs, strength), shared.T)
    chosen: list[int] = []
    for _ in range(min(count, len(spread))):
        unsure = np.diag(spread).copy()
        unsure[chosen] = -np.inf
        chosen.append(int(unsure.argmax()))
        column = spread[:, chosen[-1]]
        spread = spread - np.outer(column, column) / (column[chosen[-1]] + 1)
    return np.array(chosen, np.int64)


def _shared(inputs: Array, others: Array, strength: float) -> Array:
    return OFFSET + strength * (inputs @ others.T)


def _labels(inputs: Array, strength: float) -> Array:
    """The covariance of labels there, `[N, N]`."""
    return _shared(inputs, inputs, strength) + np.eye(len(inputs))
