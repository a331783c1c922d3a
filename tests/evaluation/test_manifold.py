import numpy as np
import pytest

from lmedge.judging.manifold import manifold


def by_hand(drawn, real, k):
    """Face by face, as the papers say it."""

    def reach(faces):
        return [sorted(np.linalg.norm(one - faces, axis=1))[k] for one in faces]  # 0 is itself

    reach_real, reach_drawn = reach(real), reach(drawn)
    inside = [[np.linalg.norm(d - r) <= reach_real[j] for j, r in enumerate(real)] for d in drawn]
    covered = [any(np.linalg.norm(d - r) <= reach_drawn[i] for i, d in enumerate(drawn)) for r in real]
    return (np.mean([any(row) for row in inside]), np.mean(covered), np.mean([sum(row) for row in inside]) / k,
            np.mean([any(row[j] for row in inside) for j in range(len(real))]))  # fmt: skip


def test_precision_recall_density_and_coverage_are_those_of_their_papers():
    random = np.random.default_rng(0)
    drawn = random.normal(0, 0.7, (40, 5)).astype(np.float32)
    real = random.normal(0.3, 1, (60, 5)).astype(np.float32)
    found = manifold(drawn, real, 3)
    assert (found.precision, found.recall, found.density, found.coverage) == pytest.approx(by_hand(drawn, real, 3))
    assert found.precision > found.recall  # drawn from the middle


def test_the_same_distribution_is_covered_and_another_one_is_not():
    random = np.random.default_rng(1)
    real, same = random.normal(size=(2, 300, 4)).astype(np.float32)
    assert min(vars(manifold(same, real)).values()) > 0.9
    assert set(vars(manifold(same + 99, real)).values()) == {0.0}
