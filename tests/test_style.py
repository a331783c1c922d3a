import numpy as np
import pytest

from lmedge.landmarks import nme
from lmedge.scheme import IBUG49
from lmedge.style import RIDGE, fit_style


def shapes(count, number=0):
    """Faces of 64 pixels: a fixed one, deformed, turned, scaled and moved."""
    random = np.random.default_rng(number)
    base = np.random.default_rng(7).uniform(-0.5, 0.5, (49, 2))
    base[list(IBUG49.reference)] = (-0.5, 0), (0.5, 0)
    points = base + random.normal(0, 0.05, (count, 49, 2))
    angle, size = random.uniform(-0.5, 0.5, count), random.uniform(20, 40, count)
    turn = np.stack([np.cos(angle), -np.sin(angle), np.sin(angle), np.cos(angle)], -1).reshape(-1, 2, 2)
    where = random.uniform(25, 40, (count, 1, 2))
    return (np.einsum("nij,nkj->nki", turn, points) * size[:, None, None] + where).astype(np.float32), turn, size


def restyled(points, turn, size, offset):
    """Points moved by `offset` `[K, 2]` in the frame of the face."""
    return (points + np.einsum("nij,kj->nki", turn, offset) * size[:, None, None]).astype(np.float32)


def test_another_style_is_learnt_whatever_the_place_size_and_turn_of_a_face():
    offset = np.random.default_rng(1).normal(0, 0.06, (49, 2))
    seen, turn, size = shapes(60)
    styled = fit_style(seen, restyled(seen, turn, size, offset), IBUG49)
    fresh, turn, size = shapes(40, 5)
    wanted = restyled(fresh, turn, size, offset)
    assert nme(fresh, wanted, IBUG49).mean() > 0.05
    assert nme(styled(fresh), wanted, IBUG49).mean() < 0.02
    assert styled(fresh).dtype == np.float32


def test_it_turns_scales_and_moves_with_the_face():
    seen = shapes(30)[0]
    styled = fit_style(seen, seen + np.random.default_rng(2).normal(0, 1, seen.shape).astype(np.float32), IBUG49)
    fresh = shapes(5, 9)[0]
    quarter = np.array([[0, -1], [1, 0]])
    moved = (fresh @ quarter.T * 2 + 3).astype(np.float32)
    assert styled(moved) == pytest.approx(styled(fresh) @ quarter.T * 2 + 3, abs=1e-3)


def test_it_is_the_ridge_regression_of_the_difference_on_the_shape():
    """Against least squares on rows that are lengthened by the penalty."""
    random = np.random.default_rng(3)
    seen = random.uniform(10, 54, (40, 49, 2)).astype(np.float32)
    seen[:, IBUG49.reference[0]], seen[:, IBUG49.reference[1]] = (20, 30), (44, 30)  # a frame of 24
    placed = seen + random.normal(0, 2, seen.shape).astype(np.float32)
    shape = np.concatenate([(seen[..., 0] - 32) / 24, (seen[..., 1] - 30) / 24], 1).astype(np.float64)
    difference = ((placed - seen) / 24).transpose(0, 2, 1).reshape(40, -1).astype(np.float64)
    middle, offset = shape.mean(0), difference.mean(0)
    rows = np.vstack([shape - middle, np.sqrt(RIDGE) * np.eye(98)])
    weights = np.linalg.lstsq(rows, np.vstack([difference - offset, np.zeros((98, 98))]), rcond=None)[0]
    moved = ((shape - middle) @ weights + offset).reshape(40, 2, 49).transpose(0, 2, 1) * 24
    assert fit_style(seen, placed, IBUG49)(seen) == pytest.approx(seen + moved, abs=1e-3)


def test_one_face_gives_its_difference():
    seen = shapes(1)[0]
    placed = seen + np.float32(1.5)
    assert fit_style(seen, placed, IBUG49)(seen) == pytest.approx(placed, abs=1e-3)
