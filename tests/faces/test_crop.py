import cv2
import numpy as np
import pytest

from lmedge.affine import moved
from lmedge.faces.cartoon import draw_face
from lmedge.faces.crop import ALIGNED, alignment
from lmedge.faces.look import random_look
from lmedge.scheme import IBUG49, IBUG68, converted


@pytest.mark.parametrize("scheme", [IBUG68, IBUG49])
def test_alignment_is_the_least_squares_similarity(scheme):
    points = converted(draw_face(random_look(np.random.default_rng(5)), 200)[1], IBUG68, scheme)
    affine = alignment(points, scheme, 64)
    a, b = affine[0, 0], affine[0, 1]
    assert affine[1] == pytest.approx([-b, a, affine[1, 2]])  # rotation and scale only
    parts = [[scheme.index(f"ibug68/{i}") for i in part] for part in (range(36, 42), range(42, 48), (48, 54))]
    centres = np.array([points[part].mean(axis=0) for part in parts])
    target = ALIGNED * 64 - 0.5
    # The same, as linear least squares in (a, b, tx, ty).
    rows = np.concatenate([[[x, y, 1, 0], [y, -x, 0, 1]] for x, y in centres])
    solution = np.linalg.lstsq(rows, target.ravel(), rcond=None)[0]
    assert affine == pytest.approx(
        np.array([[solution[0], solution[1], solution[2]], [-solution[1], solution[0], solution[3]]])
    )


def test_alignment_undoes_a_known_turn():
    look = random_look(np.random.default_rng(5))
    points = draw_face(look, 200)[1]
    turn = cv2.getRotationMatrix2D((80, 120), 33, 1.7)
    first = moved(points, alignment(points, IBUG68, 64))
    second = moved(moved(points, turn), alignment(moved(points, turn), IBUG68, 64))
    assert first == pytest.approx(second, abs=1e-3)
