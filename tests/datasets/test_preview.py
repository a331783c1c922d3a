import numpy as np
import pytest

from lmedge.datasets.preview import LEAST_VARIETY, difference, look_ahead
from lmedge.datasets.stream import Plan
from lmedge.latent import LatentSpec
from lmedge.runtime import FaceModel, FaceSampler
from lmedge.runtime.face_model import Drawn
from lmedge.runtime.selection import Selection
from lmedge.scheme import IBUG49, IBUG68


class Whole(FaceModel):
    """Draws what all of a latent says, and turns the head and opens the mouth by all of it too: at the ends of what it
    reaches there is but one face."""

    latent, scheme, width, height, knows_confidence = LatentSpec.uniform(12), IBUG49, 16, 16, False
    colours = np.random.default_rng(0).normal(0, 20, (12, 16 * 16 * 3))

    def _drawn(self, z):
        images = np.clip(128 + z @ self.colours, 0, 255).astype(np.uint8).reshape(-1, 16, 16, 3)
        return Drawn(images, self._points(z))

    def _points(self, z):
        points = np.full((len(z), 68, 2), 0.5, np.float32)
        points[:, 36], points[:, 45] = (0.3, 0.4), (0.7, 0.4)  # eyes
        points[:, 30, 0], points[:, 30, 1] = 0.5 + 0.4 * 0.025 * z.sum(axis=1), 0.6  # the nose
        gap = 0.4 * (0.06 + 0.012 * (z[:, ::2] - z[:, 1::2]).sum(axis=1))  # of the lips
        points[:, 62, 1], points[:, 66, 1] = 0.75 - gap / 2, 0.75 + gap / 2
        return points[:, [IBUG68.index(point) for point in IBUG49.points]]


@pytest.fixture(scope="module")
def whole():
    return Whole()


def variety(plan, painter, steering):
    """Of the faces of a plan that are kept, against random ones: by another route than the stage's."""

    def pairs(images):
        two = [(a, b) for a in range(len(images)) for b in range(a)]
        return np.mean([np.abs(images[a] - images[b]).mean() for a, b in two])

    faces = painter.render(plan.latents(0, 64, painter.latent, steering))
    kept = faces.images[plan.selection.wanted(faces, painter.scheme)[0]]
    random = painter.sample(64, plan.seed).images
    return pairs(kept.astype(float)) / pairs(random.astype(float))


def test_targets_beyond_reach_are_not_aimed_at_as_they_draw_one_face(whole):
    plan = Plan(0, Selection(yaw=(12.0, 40.0)))
    seen = look_ahead(plan, whole)
    low, high = seen.reach["--yaw"]
    assert -28 < low < -15 and 15 < high < 28  # at the corners of the latent: 27.3
    assert seen.plan.targets == ((12.0, high), None)
    assert seen.sentences()[0] == (
        f"--yaw 12 40: this generator reaches {low:.3g} to {high:.3g}; faces are steered to 12 to {high:.3g}."
    )
    assert variety(plan, whole, plan.steering(whole)) < 0.9 * seen.variety
    assert seen.variety == pytest.approx(variety(plan, whole, seen.plan.steering(whole)), abs=0.05)


def test_faces_that_are_alike_are_warned_of(whole):
    seen = look_ahead(Plan(0, Selection(mouth_open=(0.15, 0.3))), whole)
    assert seen.variety < LEAST_VARIETY
    assert f"differ {seen.variety:.2f} times as much as two random ones; ask for less." in seen.sentences()[-1]


def test_the_example_of_the_help_draws_well():
    seen = look_ahead(Plan(0, Selection(yaw=(8.0, 15.0))), FaceSampler(variant="int8-qat", threads=1))
    assert seen.variety > 0.87 and not seen.sentences()


def test_nothing_is_drawn_for_random_faces_and_nothing_said_of_what_hardly_is(whole):
    assert look_ahead(Plan(0, Selection(), truncation=0.5), whole) is None
    seen = look_ahead(Plan(0, Selection(yaw=(30.0, 40.0))), whole)
    assert seen.variety is None and seen.sentences()[0].endswith("few faces will do.")


def test_difference_of_pictures():
    images = np.zeros((3, 4, 4, 3), np.uint8)
    images[1], images[2] = 30, 255
    assert difference(images) == pytest.approx((30 + 255 + 225) / 3)
