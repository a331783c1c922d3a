"""How much of the real faces a set of drawn ones covers, and how much of it lies among them."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmedge.judging.distances import squared_distances

NEAREST = 5  # k: a face's neighbourhood reaches to its k-th nearest face of the same set


@dataclass(frozen=True)
class Manifold:
    """`precision`: share of drawn faces in the neighbourhood of a real one; `recall`: of real faces in that of a drawn
    one (Kynkaanniemi et al., arXiv 1904.06991). `density`: in how many neighbourhoods of real faces a drawn one lies,
    over k; `coverage`: share of real faces with a drawn one in their neighbourhood (Naeem et al., arXiv 2002.09797).
    Compare figures of equal counts only."""

    precision: float
    recall: float
    density: float
    coverage: float

    def to_json(self) -> dict[str, Any]:
        """All four by name."""
        return asdict(self)

    def __str__(self) -> str:
        return (f"precision {self.precision:.2f}, recall {self.recall:.2f}, density {self.density:.2f}, "
                f"coverage {self.coverage:.2f}")  # fmt: skip


def manifold(drawn: NDArray[np.float32], real: NDArray[np.float32], nearest: int = NEAREST) -> Manifold:
    """Of features `[N, F]` and `[M, F]`. Of small sets, the neighbourhood holds all others."""
    nearest = min(nearest, len(drawn) - 1, len(real) - 1)
    apart = squared_distances(real, drawn)  # [M, N]
    reach_real, reach_drawn = _reach(real, nearest), _reach(drawn, nearest)
    inside = apart <= reach_real[:, None]
    return Manifold(
        float(inside.any(axis=0).mean()), float((apart <= reach_drawn[None, :]).any(axis=1).mean()),
        float(inside.sum(axis=0).mean() / nearest), float(inside.any(axis=1).mean()),
    )  # fmt: skip


def _reach(features: NDArray[np.float32], nearest: int) -> NDArray[np.float64]:
    """Squared distance of each to its k-th nearest other."""
    distances = squared_distances(features, features)
    np.fill_diagonal(distances, np.inf)
    return np.partition(distances, nearest - 1, axis=1)[:, nearest - 1]
