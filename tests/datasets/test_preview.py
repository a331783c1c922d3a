import numpy as np
import pytest

from lmedge.datasets.preview import LEAST_VARIETY, difference, look_ahead
from lmedge.datasets.stream import Plan
from lmedge.runtime import FaceSampler
from lmedge.runtime.selection import Selection


@pytest.fixture(scope="module")
def shipped():
    """The model that comes with lmedge."""
    return FaceSampler(variant="int8-qat", threads=1)


def variety(plan, painter, steering):
    """Of the faces of a plan that are kept, against random ones: by another route than the stage's."""

    def pairs(images):
        two = [(a, b) for a in range(len(images)) for b in range(a)]
        return np.mean([np.abs(images[a] - images[b]).mean() for a, b in two])

    faces = painter.render(plan.latents(0, 64, painter.latent, steering))
    kept = faces.images[plan.selection.wanted(faces, painter.scheme)[0]]
    random = painter.sample(64, plan.seed).images
    return pairs(kept.astype(float)) / pairs(random.astype(float))


def test_targets_beyond_reach_are_not_aimed_at_as_they_draw_one_face(shipped):
    plan = Plan(0, Selection(yaw=(12.0, 40.0)))
    seen = look_ahead(plan, shipped)
    low, high = seen.reach["--yaw"]
    assert -25 < low < -15 and 15 < high < 22
    assert seen.plan.targets == ((12.0, high), None)
    assert seen.sentences() == [
        f"--yaw 12 40: this generator reaches {low:.3g} to {high:.3g}; faces are steered to 12 to {high:.3g}."
    ]
    assert variety(plan, shipped, plan.steering(shipped)) < 0.7
    assert seen.variety == pytest.approx(variety(plan, shipped, seen.plan.steering(shipped)), abs=0.05)
    assert seen.variety > 0.78


def test_faces_that_are_alike_are_warned_of(shipped):
    seen = look_ahead(Plan(0, Selection(mouth_open=(0.15, 0.3))), shipped)
    assert seen.variety < LEAST_VARIETY
    assert f"differ {seen.variety:.2f} times as much as two random ones; ask for less." in seen.sentences()[-1]


def test_the_example_of_the_help_draws_well(shipped):
    seen = look_ahead(Plan(0, Selection(yaw=(8.0, 15.0))), shipped)
    assert seen.variety > 0.87 and not seen.sentences()


def test_nothing_is_drawn_for_random_faces_and_nothing_said_of_what_hardly_is(shipped):
    assert look_ahead(Plan(0, Selection(), truncation=0.5), shipped) is None
    seen = look_ahead(Plan(0, Selection(yaw=(30.0, 40.0))), shipped)
    assert seen.variety is None and seen.sentences()[0].endswith("few faces will do.")


def test_difference_of_pictures():
    images = np.zeros((3, 4, 4, 3), np.uint8)
    images[1], images[2] = 30, 255
    assert difference(images) == pytest.approx((30 + 255 + 225) / 3)
