from itertools import combinations

import numpy as np
import pytest
from scipy import linalg

from lmedge.judging import distances

random = np.random.default_rng(0)


def cloud(count, features=6, shift=0.0, seed=0):
    mixing = np.random.default_rng(9).normal(size=(features, features))
    return (np.random.default_rng(seed).normal(size=(count, features)) @ mixing + shift).astype(np.float32)


def test_frechet_is_the_formula_with_a_matrix_square_root():
    a, b = cloud(200), cloud(150, shift=0.5, seed=1) * 1.3
    first, second = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    wanted = ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(first + second - 2 * linalg.sqrtm(first @ second).real)
    assert distances.frechet(a, b) == pytest.approx(wanted, rel=1e-4)
    assert distances.frechet(a, a) == pytest.approx(0, abs=1e-4)


def test_frechet_of_two_normal_distributions_on_a_line_is_known():
    a = np.array([[-1.0], [1.0]] * 500, np.float32)
    assert distances.frechet(a, 3 * a + 2) == pytest.approx(4 + (3 - 1) ** 2 * np.var(a, ddof=1), rel=1e-5)


def test_the_kernel_distance_is_the_mean_over_pairs():
    a, b = cloud(7), cloud(5, seed=1)

    def value(x, y):
        return (float(x.astype(np.float64) @ y) / 6 + 1) ** 3

    within = [np.mean([value(x, y) for x, y in combinations(part, 2)]) for part in (a, b)]
    wanted = sum(within) - 2 * np.mean([value(x, y) for x in a for y in b])
    assert distances.kernel_distance(a, b) == pytest.approx(wanted, rel=1e-4)


def test_sets_of_one_distribution_are_near_and_their_errors_say_how_sure_that_is():
    frechet, kernel = distances.compare(cloud(300), cloud(300, seed=1))
    far = distances.compare(cloud(300), cloud(300, shift=3, seed=1))
    assert abs(kernel.value) < 4 * kernel.error and far[1].value > 4 * far[1].error
    assert far[0].value > frechet.value + 4 * frechet.error


def test_the_bootstrap_error_is_the_spread_of_fresh_samples():
    values = [distances.kernel_distance(cloud(200, seed=i), cloud(200, shift=1, seed=100 + i)) for i in range(30)]
    _, kernel = distances.compare(cloud(200), cloud(200, shift=1, seed=100))
    assert kernel.error == pytest.approx(np.std(values), rel=0.5)


def test_diversity_is_the_mean_distance_of_all_pairs():
    faces = random.integers(0, 256, (6, 4, 4, 3)).astype(np.uint8)
    pairs = [np.sqrt(((a.astype(float) - b) ** 2).mean()) for a, b in combinations(faces, 2)]
    assert distances.diversity(faces) == pytest.approx(np.mean(pairs))
    assert distances.diversity(faces[[0, 0, 0]]) == pytest.approx(0, abs=1e-4)


def test_relative_diversity_is_1_for_the_same_faces_and_a_half_for_half_the_contrast():
    faces = random.integers(0, 256, (64, 4, 4, 3)).astype(np.uint8)
    assert distances.relative_diversity(faces, faces).value == pytest.approx(1)
    half = distances.relative_diversity((faces // 2).astype(np.uint8), faces)
    assert half.value == pytest.approx(0.5, abs=0.01) and 0 < half.error < 0.1
