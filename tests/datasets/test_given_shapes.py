"""Sets that draw a person for every given shape."""

import json
import shutil

import numpy as np
import pytest

from lmedge.datasets.formats.pts import Pts
from lmedge.errors import LmedgeError, UsageError
from lmedge.faces.records import FaceDataset
from lmedge.landmarks import in_pixels, nme, normalised, write_pts
from lmedge.latent import uniform
from lmedge.pose import posture
from lmedge.runtime import FaceSampler
from lmedge.runtime.shape_block import ShapeBlock
from lmedge.scheme import IBUG49, IBUG68
from lmedge.storage import read_json, write_json
from tests.at_its_word import LATENT, SIZE, SPACE, drawn_landmarks
from tests.datasets import contents, made, read_pts

pytestmark = pytest.mark.usefixtures("small_parts")
BLOCK = ShapeBlock.of(LATENT, IBUG49, "a model", "--shapes")


def landmarks(out):
    """Of a set in .pts files."""
    return np.array([points for _, points in read_pts(out)])


def alike(one, other):
    """1 for shapes that differ by a similarity alone."""
    a, b = ((points - points.mean(axis=0)) @ [1, 1j] for points in (one, other))
    return abs(np.vdot(a, b)) / np.linalg.norm(a) / np.linalg.norm(b)


def test_a_person_is_drawn_for_every_face_of_a_dataset(asked_bundle, toys, tmp_path):
    result = made(asked_bundle, tmp_path / "out", "pts", shapes=toys, count=None)
    wanted = FaceDataset(toys).landmarks
    assert result.count == len(wanted) == 48
    got = landmarks(tmp_path / "out")
    error = nme(got, wanted, IBUG49)
    assert error.mean() < 0.02 and error.max() < 0.08  # what six axes leave over
    assert nme(got[1:], wanted[:-1], IBUG49).mean() > 3 * error.mean()
    # Persons are those that the seed draws anyway.
    plain = LATENT.split(LATENT.draw(48, 3))
    shape = np.clip(SPACE.latents(normalised(wanted, SIZE, SIZE)), -1, 1)
    faces = FaceSampler(asked_bundle).render(np.concatenate([plain["person"], shape], axis=1))
    for i, (image, points) in enumerate(read_pts(tmp_path / "out")):
        assert np.abs(image.astype(int) - faces.images[i]).max() <= 1
        assert points == pytest.approx(faces.landmarks[i], abs=2e-3)
    card = (tmp_path / "out" / "README.md").read_text()
    assert (
        "| asked for by the landmarks of | `toys`, 48 faces, of which" in card
        and "| licence of these faces | CC0-1.0 |" in card
    )


def test_beyond_the_last_shape_they_begin_again_with_other_people(asked_bundle, toys, tmp_path):
    made(asked_bundle, tmp_path / "out", "pts", shapes=toys, count=60, workers=2)
    found = list(read_pts(tmp_path / "out"))
    assert found[50][1] == pytest.approx(found[2][1], abs=1e-3)
    assert np.abs(found[50][0].astype(int) - found[2][0]).mean() > 5


def test_a_set_in_pts_files_is_followed_as_it_is_and_photos_points_are_placed(asked_bundle, tmp_path):
    made(asked_bundle, tmp_path / "first", "pts", count=20)
    made(asked_bundle, tmp_path / "second", "pts", shapes=tmp_path / "first", count=None, seed=9)
    first, second = landmarks(tmp_path / "first"), landmarks(tmp_path / "second")
    assert second == pytest.approx(first, abs=1e-2)
    photos = tmp_path / "photos" / "deep"
    photos.mkdir(parents=True)
    for i, points in enumerate(first):
        write_pts(photos / f"{i:02}.pts", points.astype(np.float32) * (3 + i) + (i * 100, 50))
    made(asked_bundle, tmp_path / "third", "pts", shapes=tmp_path / "photos", count=None)
    third = landmarks(tmp_path / "third")
    # Where in the crop they were, how large and how tilted is no longer known; all else is.
    assert min(map(alike, first, third)) > 0.998 > np.mean(list(map(alike, first, third[::-1])))


def test_a_stopped_set_goes_on_with_the_same_shapes_alone(asked_bundle, toys, tmp_path, monkeypatch):
    made(asked_bundle, tmp_path / "whole", "pts", shapes=toys, count=40)
    writing = Pts.part

    def part(self, out, first, samples, shape):
        if first >= 16:
            raise KeyboardInterrupt
        writing(self, out, first, samples, shape)

    with monkeypatch.context() as broken:
        broken.setattr(Pts, "part", part)
        with pytest.raises(KeyboardInterrupt):
            made(asked_bundle, tmp_path / "out", "pts", shapes=toys, count=40)
    other = tmp_path / "toys"
    shutil.copytree(toys, other)
    with pytest.raises(UsageError, match="other options"):
        made(asked_bundle, tmp_path / "out", "pts", shapes=other, count=40)
    made(asked_bundle, tmp_path / "out", "pts", shapes=toys, count=40)
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def test_shapes_far_outside_are_clipped_and_counted(asked_bundle, toys, tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr("lmedge.datasets.given_shapes.console.print", said.append)
    photos = tmp_path / "photos"
    photos.mkdir()
    faces = in_pixels(drawn_landmarks(6), SIZE, SIZE)
    for i, points in enumerate(faces * np.where(np.arange(6) < 2, 4, 1)[:, None, None] ** (0, 1)):
        write_pts(photos / f"{i}.pts", points.astype(np.float32))
    made(asked_bundle, tmp_path / "out", "pts", shapes=photos, count=None)
    assert said[0].startswith(f"--shapes {photos}: 2 of 6 shapes lie beyond the faces that this model can be asked for")
    percent = float(said[0].partition("NME ")[2].partition("%")[0])
    assert 10 < percent < 200
    about = json.loads((tmp_path / "out" / "card.json").read_text())["shapes"]
    assert (about["count"], about["clipped"]) == (6, 2) and about["from"] == "photos"
    shape = BLOCK.space.latents(normalised(landmarks(tmp_path / "out"), SIZE, SIZE))
    assert np.abs(shape).max() == pytest.approx(1, abs=1e-2)


def test_what_cannot_be_followed_is_refused_before_anything_is_written(asked_bundle, bundle, toys, tmp_path):
    def refused(sentence, model=asked_bundle, kind=UsageError, **options):
        with pytest.raises(kind, match=sentence):
            made(model, tmp_path / "out", "pts", **{"count": None, **options})
        assert not (tmp_path / "out").exists()

    refused(r"--shapes .*toys: faces of .* cannot be asked for by landmarks, .* relativistic\.$", bundle, shapes=toys)
    refused(r"--shapes .*nowhere does not exist; name a dataset", shapes=tmp_path / "nowhere")
    empty = tmp_path / "empty"
    empty.mkdir()
    refused(r"--shapes .*empty has no \.pts files and is no dataset", shapes=empty)
    other = shutil.copytree(toys, tmp_path / "other")
    about = read_json(other / "dataset.json", "a test")
    write_json(other / "dataset.json", {**about, "scheme": IBUG68.to_json()})
    refused(r"--shapes .*other has landmarks of ibug68, and the model is asked for those of ibug49", shapes=other)
    write_json(other / "dataset.json", {**about, "count": 0, "shards": []})
    refused(r"--shapes .*other is a dataset without a face; name another", shapes=other)
    (empty / "many.pts").write_text("version: 1\nn_points: 2\n{\n1 1\n2 2\n}\n")
    refused(r"many.pts has 2 points, and ibug49 49; say with --pts-scheme", shapes=empty)
    (empty / "many.pts").write_text("no points")
    refused(r"many.pts is not a .pts file", kind=LmedgeError, shapes=empty / "many.pts")
    refused(r"--pts-scheme ibug68 says what .pts files have; name them with --shapes", pts_scheme=IBUG68)


def test_steering_moves_the_shape_and_leaves_the_person(asked_bundle, tmp_path):
    made(asked_bundle, tmp_path / "out", "pts", count=40, yaw=(10.0, 16.0))
    found = list(read_pts(tmp_path / "out"))
    yaw = posture(np.array([points for _, points in found]), IBUG49)[:, 0]
    assert yaw.min() >= 9.9 and yaw.max() <= 16.1 and yaw.std() > 1
    # The image of this model is linear in its latent up to rounding: the person shows in it.
    person = uniform(1, 14, 3)[:, :8]
    assert (LATENT.split(LATENT.draw(1, 3))["person"] == person).all()
    shape = SPACE.latents(normalised(found[0][1][None].astype(np.float32), SIZE, SIZE))
    faces = FaceSampler(asked_bundle).render(np.concatenate([person, shape], axis=1).astype(np.float32))
    assert np.abs(found[0][0].astype(int) - faces.images[0]).max() <= 2
