"""Distances between two sets of faces, each with its uncertainty."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Features = NDArray[np.float32]
RESAMPLES = 40  # bootstrap draws


@dataclass(frozen=True)
class Estimate:
    """A figure and its standard error (bootstrap)."""

    value: float
    error: float

    def __str__(self) -> str:
        return f"{self.value:.3g} ± {self.error:.1g}"

    def to_json(self) -> dict[str, float]:
        """Both numbers by name."""
        return asdict(self)


def frechet(a: Features, b: Features) -> float:
    """|mean difference|^2 + tr(A + B - 2 (A B)^(1/2)) for the covariances A, B: the distance of the two normal
    distributions (Frechet; Heusel et al., arXiv 1706.08500, equation 6). `[N, F]`, `[M, F]`. It falls with the
    number of faces: compare figures of equal counts only."""
    difference = a.mean(axis=0, dtype=np.float64) - b.mean(axis=0, dtype=np.float64)
    first, second = (np.atleast_2d(np.cov(x.astype(np.float64), rowvar=False)) for x in (a, b))
    values, vectors = np.linalg.eigh(first)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    # tr (A B)^(1/2) = tr (A^(1/2) B A^(1/2))^(1/2), of a symmetric matrix
    cross = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ second @ root), 0)).sum()
    return float(difference @ difference + np.trace(first) + np.trace(second) - 2 * cross)


def kernel(a: Features, b: Features) -> NDArray[np.float64]:
    """(a b / F + 1)^3 for every pair, `[N, M]` (Binkowski et al., arXiv 1801.01401, section 4)."""
    return (a.astype(np.float64) @ b.T.astype(np.float64) / a.shape[1] + 1) ** 3


def kernel_distance(a: Features, b: Features) -> float:
    """Squared maximum mean discrepancy, unbiased: KID on these features. Does not depend on the number of faces,
    and may fall below 0 for sets that are alike."""
    return _discrepancy(kernel(a, a), kernel(b, b), kernel(a, b), np.ones(len(a)), np.ones(len(b)))


def _discrepancy(aa: Any, bb: Any, ab: Any, of_a: NDArray[Any], of_b: NDArray[Any]) -> float:
    """From the kernel matrices, each face counted as often as `of_a` and `of_b` say, without pairs of itself."""

    def within(matrix: Any, times: NDArray[Any]) -> float:
        pairs = times.sum() ** 2 - (times**2).sum()
        return (times @ matrix @ times - times**2 @ np.diag(matrix)) / pairs

    return float(within(aa, of_a) + within(bb, of_b) - 2 * (of_a @ ab @ of_b) / (of_a.sum() * of_b.sum()))


def compare(a: Features, b: Features, seed: int = 0) -> tuple[Estimate, Estimate]:
    """Frechet and kernel distance of two sets, with their errors."""
    random = np.random.default_rng(seed)
    aa, bb, ab = kernel(a, a), kernel(b, b), kernel(a, b)
    distances, discrepancies = [], []
    for _ in range(RESAMPLES):
        i, j = (random.integers(0, len(x), len(x)) for x in (a, b))
        distances.append(frechet(a[i], b[j]))
        times = np.bincount(i, minlength=len(a)), np.bincount(j, minlength=len(b))
        discrepancies.append(_discrepancy(aa, bb, ab, *times))
    once = np.ones(len(a)), np.ones(len(b))
    return (Estimate(frechet(a, b), float(np.std(distances))),
            Estimate(_discrepancy(aa, bb, ab, *once), float(np.std(discrepancies))))  # fmt: skip


def squared_distances(a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.float64]:
    """Of every vector of one set to every one of another: `[N, F]`, `[M, F]` -> `[N, M]`."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    return np.maximum((a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1) - 2 * a @ b.T, 0)


def _pair_distances(faces: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Root mean square over pixels of the difference of every two faces, in levels (0..255), `[N, N]`."""
    flat = faces.reshape(len(faces), -1)
    distances = np.sqrt(squared_distances(flat, flat) / flat.shape[1])
    np.fill_diagonal(distances, 0)
    return distances


def diversity(faces: NDArray[np.uint8]) -> float:
    """Mean distance of all pairs of faces `[N, H, W, 3]`: root mean square over pixels, in levels (0..255)."""
    return float(_pair_distances(faces).sum() / (len(faces) * (len(faces) - 1)))


def relative_diversity(faces: NDArray[np.uint8], real: NDArray[np.uint8], seed: int = 0) -> Estimate:
    """Diversity of generated faces over that of real ones."""
    random = np.random.default_rng(seed)

    def mean(distances: NDArray[np.float64], times: NDArray[Any]) -> float:
        return float(times @ distances @ times / (times.sum() ** 2 - (times**2).sum()))

    ours, theirs = _pair_distances(faces), _pair_distances(real)

    def ratio(draw: Callable[[int], NDArray[Any]]) -> float:
        return mean(ours, draw(len(ours))) / mean(theirs, draw(len(theirs)))

    def resampled(count: int) -> NDArray[Any]:
        return np.bincount(random.integers(0, count, count), minlength=count)

    return Estimate(ratio(np.ones), float(np.std([ratio(resampled) for _ in range(RESAMPLES)])))
