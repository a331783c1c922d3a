import numpy as np
import pytest

from lmedge.landmarks import in_pixels
from lmedge.latent import LatentSpec
from lmedge.pose import degrees, pose, posture
from lmedge.runtime import Faces, FaceSampler
from lmedge.runtime.selection import Selection
from lmedge.runtime.steering import Steering, directions
from lmedge.scheme import IBUG49, IBUG68
from tests import at_its_word

LATENT = LatentSpec.uniform(12)


def schematic(turned, gap, scheme=IBUG49):
    """Faces of 64 pixels with eyes 28 pixels apart: the nose `turned` beside their middle, lips `gap` apart (both in
    inter-ocular distances)."""
    points = np.full((len(turned), 68, 2), 32.0)
    points[:, 36], points[:, 45] = (18, 24), (46, 24)
    points[:, 30, 0], points[:, 30, 1] = 32 + 28 * turned, 38
    points[:, 62, 1], points[:, 66, 1] = 46 - 14 * gap, 46 + 14 * gap
    return points[:, [IBUG68.index(point) for point in scheme.points]].astype(np.float32)


def bent(z):
    """Landmarks of latents: the first components turn the head, the last ones open the mouth, not quite evenly."""
    turned = 0.25 * np.tanh(z[:, :4].sum(axis=1) / 2)
    return schematic(turned, 0.1 + 0.05 * z[:, 8:].sum(axis=1) / 2 + 0.02 * turned)


@pytest.mark.parametrize("scheme", [IBUG49, IBUG68])
def test_pose_in_degrees(scheme):
    turned = np.array([-0.58, 0, 0.58 * np.tan(np.radians(20))])
    points = schematic(turned, np.array([0.0, 0.1, 0.2]), scheme)
    assert degrees(pose(points, scheme)[0]) == pytest.approx([-45, 0, 20], abs=1e-3)
    assert posture(points, scheme)[:, 1] == pytest.approx([0, 0.1, 0.2], abs=1e-5)


def test_a_mouth_whose_lips_cross_is_less_than_shut_however_the_head_is_tilted():
    points = schematic(np.zeros(3), np.array([-0.05, 0.0, 0.1]))
    for angle in np.radians([0, 25, -40]):
        turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]], np.float32)
        assert pose(points @ turn, IBUG49)[1] == pytest.approx([-0.05, 0, 0.1], abs=1e-4)
    faces = Faces(np.zeros((3, 64, 64, 3), np.uint8), points, np.zeros((3, 12), np.float32))
    wanted, _ = Selection(mouth_open=(0.0, 0.02)).wanted(faces, IBUG49)
    assert wanted.tolist() == [True, True, False]


def test_mouths_are_opened_from_lips_that_cross_too():
    def crossing(z):
        return schematic(np.zeros(len(z)), 0.05 * z[:, 8:].sum(axis=1) / 2)

    z = LATENT.draw(300, 3)
    assert (posture(crossing(z), IBUG49)[:, 1] < 0).mean() > 0.4
    opened = posture(crossing(Steering(crossing, LATENT, IBUG49, None, (0.05, 0.05))(z, 0, 7)), IBUG49)[:, 1]
    assert opened == pytest.approx(np.full(300, 0.05), abs=0.01)


def test_directions_move_one_thing_and_leave_the_other():
    towards = directions(bent, LATENT, IBUG49)
    z = LATENT.draw(200, 1) * 0.3
    before = posture(bent(z), IBUG49)
    turned, opened = (posture(bent(z + step), IBUG49) - before for step in (5 * towards[0], 0.03 * towards[1]))
    assert turned.mean(axis=0) == pytest.approx([5, 0], abs=1.2)
    assert opened.mean(axis=0)[0] == pytest.approx(0, abs=0.5)
    assert opened.mean(axis=0)[1] == pytest.approx(0.03, abs=0.005)
    assert np.abs(towards[:, 4:8]).max() < 0.2 * np.abs(towards).max()  # components that do neither


def test_targets_are_reached_and_lie_evenly():
    steering = Steering(bent, LATENT, IBUG49, (5.0, 15.0), None)
    z = LATENT.draw(400, 2)
    yaw, gap = posture(bent(steering(z, 0, 7)), IBUG49).T
    assert ((yaw > 4.5) & (yaw < 15.5)).mean() > 0.95
    assert np.histogram(yaw, 4, (5, 15))[0] == pytest.approx(np.full(4, 100), abs=35)
    kept = posture(bent(z), IBUG49)[:, 1]
    assert np.abs(gap - kept).mean() < 0.01
    assert np.abs(steering(z, 0, 7)).max() <= 1


def test_a_latent_has_its_target_whatever_is_moved_with_it():
    steering = Steering(bent, LATENT, IBUG49, (-10.0, 10.0), (0.05, 0.15))
    z = LATENT.draw(30, 2)
    assert steering(z[10:14], 10, 7) == pytest.approx(steering(z, 0, 7)[10:14], abs=1e-6)
    assert not np.allclose(steering(z, 0, 8), steering(z, 0, 7))


def test_where_a_block_asks_for_landmarks_it_alone_is_moved_as_far_as_l_gen_needs_it():
    """A generator that only half believes in what it is asked for."""

    def timid(z):
        return in_pixels(at_its_word.SPACE.landmarks(0.7 * spec.split(z)["shape"]), 64, 64)

    spec = at_its_word.LATENT
    steering = Steering(timid, spec, IBUG49, (-12.0, 12.0), None)
    z = spec.draw(100, 2)
    moved = steering(z, 0, 7)
    assert (spec.split(moved)["person"] == spec.split(z)["person"]).all()
    assert np.abs(spec.split(moved)["shape"]).max() <= 1
    targets, read = steering.targets(z, 0, 7), posture(timid(moved), IBUG49)
    assert np.abs(read - targets)[:, 0].mean() < 0.3 and np.ptp(targets[:, 0]) > 20
    assert np.abs(read - posture(timid(z), IBUG49))[:, 1].mean() < 0.002


def test_the_model_that_comes_with_lmedge_turns_heads_and_opens_mouths():
    sampler = FaceSampler(variant="fp32", threads=1)
    steering = Steering(sampler.landmarks, sampler.latent, sampler.scheme, (8.0, 15.0), (0.06, 0.12))
    z = sampler.latent.draw(64, 1)
    faces = sampler.render(steering(z, 0, 1))
    yaw, gap = posture(faces.landmarks, sampler.scheme).T
    assert ((yaw > 7) & (yaw < 16) & (gap > 0.05) & (gap < 0.13)).mean() > 0.7
    plain = posture(sampler.render(z).landmarks, sampler.scheme)
    assert ((plain[:, 0] > 7) & (plain[:, 1] > 0.05)).mean() < 0.2
    assert sampler.landmarks(z[:3]) == pytest.approx(sampler.render(z[:3]).landmarks, abs=1e-3)
