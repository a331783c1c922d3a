import re

import numpy as np
import pytest

from lmedge.affine import cut, inverse, moved, square_to_face
from lmedge.errors import UsageError
from lmedge.runtime.square import Square
from tests.conftest import drawn_photo


@pytest.fixture(scope="module")
def photo():
    """Wider than high, with detail down to the pixel."""
    noise = np.random.default_rng(3).integers(-20, 21, (200, 256, 3))
    return np.clip(drawn_photo(37)[:200].astype(int) + noise, 0, 255).astype(np.uint8)


# Larger and smaller than the face, hanging over each border, beyond twice the picture, and of odd fractions.
SQUARES = [
    (20, 10, 160),
    (33.3, 21.7, 97.4),
    (50, 60, 30.5),
    (-40, 30, 150),
    (180, 120, 110.5),
    (-300, -250, 900),
    (100, -30, 64),
]


@pytest.mark.parametrize("square", SQUARES)
@pytest.mark.parametrize("size", [32, 64])
def test_a_square_is_cut_as_opencv_cuts_it_where_photos_become_faces(photo, square, size):
    wanted = cut(photo, square_to_face(*square, size), size)
    found = Square(*square).cut(photo, size)
    off = np.abs(found.astype(int) - wanted)
    # OpenCV rounds in between, and knows places to a 32nd of a pixel.
    assert found.dtype == np.uint8 and off.mean() < 0.75 and off.max() <= 6


def test_pixels_are_means_where_a_face_is_half_as_large(photo):
    blocks = photo[40:104, 80:144].reshape(32, 2, 32, 2, 3).astype(float).mean(axis=(1, 3))
    grey = np.full((1, 1, 3), 90, np.uint8)
    halved = Square(80, 40, 64).cut(photo[:200, :256], 32)
    assert np.abs(halved - blocks).max() <= 0.5
    assert (Square(0, 0, 1).cut(grey, 32) == 90).all() and (Square(-9, 4, 30).cut(grey, 32) == 90).all()


@pytest.mark.parametrize("square", SQUARES)
def test_points_come_back_to_where_they_are_in_the_picture(square):
    points = np.random.default_rng(0).uniform(-3, 70, (49, 2)).astype(np.float32)
    wanted = moved(points, inverse(square_to_face(*square, 64)))
    assert Square(*square).in_picture(points, 64) == pytest.approx(wanted, abs=1e-3)


def test_a_box_becomes_the_square_around_its_longer_side():
    assert Square.around((10, 20, 50, 100), 0.1) == Square(-25, 10, 120)
    assert Square.around((10, 20, 100, 50), 0.0) == Square(10, -5, 100)


@pytest.mark.parametrize(
    ("box", "sentence"),
    [
        ((1, 2, 3), "the box (1, 2, 3) is not four numbers"),
        ("here", "the box 'here' is not four numbers"),
        ((1, 2, 0, 4), "the box 1, 2, 0, 4 has no width or no height"),
        ((1, float("nan"), 4, 4), "has no width"),
    ],
)
def test_what_is_no_box_is_refused(box, sentence):
    with pytest.raises(UsageError, match=re.escape(sentence)):
        Square.around(box, 0.1)
