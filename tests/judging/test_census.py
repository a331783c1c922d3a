import cv2
import numpy as np
import pytest

from lmedge.judging.census import SKIN_CLASSES, census
from lmedge.scheme import IBUG49, IBUG68

COLOURS = [(236, 214, 204), (199, 160, 138), (190, 150, 125), (176, 130, 102), (160, 118, 92), (48, 34, 28)]


def points(scheme, turn=0.0, gap=0.0):
    """A schematic face of 64 pixels: eyes at 18 and 46, nose tip between them."""
    places = np.full((68, 2), 32.0, np.float32)
    places[36], places[45], places[30] = (18, 24), (46, 24), (32 + turn * 28, 38)
    places[62], places[66] = (32, 46 - gap * 14), (32, 46 + gap * 14)
    return places[[IBUG68.index(point) for point in scheme.points]]


def painted(colour):
    return np.full((64, 64, 3), colour, np.uint8)


def skin_class(colour):
    """By OpenCV's Lab."""
    lightness, _, blue_yellow = cv2.cvtColor(np.float32([[colour]]) / 255, cv2.COLOR_RGB2Lab)[0, 0]
    angle = np.degrees(np.arctan2(lightness - 50, blue_yellow))
    return next(name for name, lowest in SKIN_CLASSES if angle > lowest)


@pytest.mark.parametrize("colour", COLOURS)
def test_skin_is_sorted_by_its_typology_angle(colour):
    counted = census(painted(colour)[None], points(IBUG49)[None], IBUG49)
    assert counted["skin"] == {name: float(name == skin_class(colour)) for name, _ in SKIN_CLASSES}


def test_the_colours_of_these_tests_are_of_every_class():
    assert {skin_class(colour) for colour in COLOURS} == {name for name, _ in SKIN_CLASSES}


def test_only_the_cheeks_count():
    face = painted(COLOURS[-1])
    face[36:41, :] = COLOURS[0]
    assert census(face[None], points(IBUG49)[None], IBUG49)["skin"][skin_class(COLOURS[0])] == 1


@pytest.mark.parametrize("scheme", [IBUG49, IBUG68])
def test_heads_and_mouths_are_counted(scheme):
    landmarks = np.stack([points(scheme), points(scheme, turn=0.2), points(scheme, turn=-0.4), points(scheme, gap=0.3)])
    counted = census(np.stack([painted(COLOURS[3])] * 4), landmarks, scheme)
    assert counted["turned"] == {"frontal": 0.5, "to half profile": 0.25} and counted["mouth open"] == 0.25
    assert counted["faces"] == 4 and "attributes" not in counted


def test_a_network_of_attributes_counts_what_it_sees(attribute_network):
    from lmedge.attributes.labeller import Labeller
    from tests.showing import shown

    faces, values = shown(100, seed=3)
    landmarks = np.repeat(points(IBUG49)[None] / 4, 100, axis=0)
    counted = census(faces, landmarks, IBUG49, Labeller.open(attribute_network).shares)["attributes"]
    assert counted == {"Lit": pytest.approx((values[:, 0] > 0).mean(), abs=0.05),
                       "Blue": pytest.approx((values[:, 1] > 0).mean(), abs=0.05)}  # fmt: skip
