"""What the sliders of a block that asks for landmarks are called."""

import numpy as np
import pytest

from lmedge.runtime.axes import effects
from lmedge.scheme import IBUG68, Scheme
from lmedge.shapes import ShapeSpace

CIRCLE = Scheme("circle", tuple(f"point_{i}" for i in range(8)), (0, 7, 6, 5, 4, 3, 2, 1), (), (0, 4), ("hand",) * 8)


def space(mean, *moves):
    return ShapeSpace(tuple(mean.ravel()), tuple(tuple(np.ravel(move)) for move in moves))


def only(scheme, part, move):
    """A move of the points whose names have this in them."""
    return np.array([move(i) if part in name else (0.0, 0.0) for i, name in enumerate(scheme.names)])


def test_an_axis_is_called_by_what_it_moves_most_and_goes_to_the_right_up_wider_and_taller():
    mean = np.random.default_rng(0).random((68, 2))
    mouth = mean[48:68].mean(axis=0)
    moves = (
        only(IBUG68, "nose", lambda i: (-0.1, 0.01)),
        only(IBUG68, "brow", lambda i: (0.0, -0.1)),
        only(IBUG68, "mouth", lambda i: (0.3 * (mean[i, 0] - mouth[0]), 0.0)),
        only(IBUG68, "jaw", lambda i: (0.0, 0.1)),
    )
    found = effects(space(mean, *moves), IBUG68, 4)
    assert found == [("Nose sideways", -1), ("Brows up", 1), ("Mouth width", 1), ("Jaw up", -1)]
    assert effects(space(mean, *moves), IBUG68, 2) == found[:2]


def test_of_two_axes_that_do_the_same_the_second_has_the_name_of_what_it_does_next():
    mean = np.random.default_rng(0).random((68, 2))
    first = only(IBUG68, "nose", lambda i: (0.1, 0.0))
    second = only(IBUG68, "nose", lambda i: (-0.1, 0.05))
    assert effects(space(mean, first, second), IBUG68, 2) == [("Nose sideways", 1), ("Nose up", -1)]


@pytest.mark.parametrize("count", [1, 4])
def test_points_whose_names_tell_no_part_are_the_face(count):
    angle = np.arange(8) * np.pi / 4
    mean = np.column_stack([np.cos(angle), np.sin(angle)])
    moves = [0.1 * mean, np.tile((0.1, 0.0), (8, 1)), mean * (0.1, 0), mean * (0, -0.2)]
    found = effects(space(mean, *moves[:count]), CIRCLE, 4)
    assert len(found) == count and all(name.startswith("Face ") for name, _ in found)
    if count == 4:
        assert found[1] == ("Face sideways", 1) and len({name for name, _ in found}) == 4
