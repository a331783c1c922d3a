import dataclasses

import numpy as np
import pytest

from lmedge.errors import UsageError
from lmedge.faces.cartoon import draw_face
from lmedge.faces.look import random_look
from lmedge.faces.options import ToyConfig
from lmedge.faces.records import FaceDataset
from lmedge.faces.toy import toy
from lmedge.landmarks import mirrored
from lmedge.scheme import IBUG68

PLAIN = dataclasses.replace(
    random_look(np.random.default_rng(0)), yaw=0.0, pitch=0.0, roll=0.0, shift=(0.0, 0.0), light=(0.0, 0.0),
    glasses=False, beard=0.0, hair_style=0, skin=(224.0, 172.0, 125.0), iris=(40.0, 120.0, 200.0), eyes_open=1.0,
    mouth_open=0.8, background=((20.0, 120.0, 40.0), (20.0, 120.0, 40.0)), brow_raise=0.0,
)  # fmt: skip


def test_the_same_look_gives_the_same_face():
    first, second = (draw_face(random_look(np.random.default_rng((3, 5))), 64) for _ in range(2))
    assert (first[0] == second[0]).all() and (first[1] == second[1]).all()


def test_the_iris_is_between_the_eye_points():
    image, points = draw_face(PLAIN, 128)
    blue = (image[..., 2].astype(int) - image[..., 0] > 60) & (image[..., 2] > 100)
    y, x = np.nonzero(blue)
    left = x < 64
    for part, eye in ((left, points[36:42]), (~left, points[42:48])):
        assert [x[part].mean(), y[part].mean()] == pytest.approx(eye.mean(axis=0).tolist(), abs=0.6)


def test_the_jaw_points_lie_on_the_outline():
    image, points = draw_face(PLAIN, 128)
    for i in range(5, 12):  # below the ears, above the neck's sides the background is green, the neck darker
        inward = (points[30] - points[i]) / np.linalg.norm(points[30] - points[i])
        inner, outer = points[i] + 2 * inward, points[i] - 2 * inward
        skin = image[round(inner[1]), round(inner[0])].astype(int)
        beyond = image[round(outer[1]), round(outer[0])].astype(int)
        assert np.abs(skin - PLAIN.skin).max() < 12
        assert np.abs(beyond - PLAIN.skin).max() > 30


def test_an_open_mouth_is_dark_between_the_inner_lips():
    image, points = draw_face(PLAIN, 128)
    gap = points[66] * 0.8 + points[62] * 0.2
    assert image[round(gap[1]), round(gap[0])].max() < 110


def test_a_mirrored_look_has_mirrored_points():
    """Checks the shape against the mirror permutation: turning the other way must equal mirroring."""
    right = dataclasses.replace(PLAIN, yaw=0.4, roll=0.1)
    left = dataclasses.replace(PLAIN, yaw=-0.4, roll=-0.1)
    points, other = draw_face(right, 64)[1], draw_face(left, 64)[1]
    assert mirrored(points, 64, IBUG68) == pytest.approx(other, abs=1e-3)


def test_yaw_turns_the_nose_and_open_eyes_are_open():
    turned = draw_face(dataclasses.replace(PLAIN, yaw=0.4), 64)[1]
    assert turned[30, 0] - turned[[36, 45], 0].mean() > 3
    shut = draw_face(dataclasses.replace(PLAIN, eyes_open=0.55), 64)[1]
    opened = draw_face(PLAIN, 64)[1]
    assert np.ptp(opened[36:42, 1]) > 1.5 * np.ptp(shut[36:42, 1])


def test_points_are_inside_the_picture_for_many_looks():
    for i in range(200):
        _, points = draw_face(random_look(np.random.default_rng((1, i))), 32)
        assert points.min() > 0 and points.max() < 31


def test_the_same_seed_gives_the_same_bytes_whatever_the_workers(tmp_path):
    for name, workers in (("a", 1), ("b", 2)):
        toy(ToyConfig(out=tmp_path / name, count=20, workers=workers, scheme="ibug68"))
    files = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert files == [".lmedge.json", "contact.png", "dataset.json", "faces-00000-of-00001.tfrecord", "rejected.csv"]
    for name in files:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    dataset = FaceDataset(tmp_path / "a")
    image, points = draw_face(random_look(np.random.default_rng((0, 7))), 32)
    face = dataset.read([7])
    assert (face["image"][0] == image).all()
    assert face["landmarks"][0] == pytest.approx(points)


@pytest.mark.parametrize(
    ("options", "reason"), [({"count": 0}, "--count"), ({"size": 50}, "--size"), ({"seed": -1}, "--seed")]
)
def test_wrong_options_are_refused(tmp_path, options, reason):
    with pytest.raises(UsageError, match=reason):
        toy(ToyConfig(out=tmp_path / "a", **options))
    assert not (tmp_path / "a").exists()
