import json
import threading

import numpy as np
import pytest
from PIL import Image

from lmedge.annotators.annotator import Annotator, Picture
from lmedge.annotators.registry import annotator_named, looking, names, register
from lmedge.errors import UsageError
from lmedge.faces.options import PrepareConfig
from lmedge.faces.records import FaceDataset
from lmedge.provenance import Provenance
from lmedge.scheme import IBUG49, IBUG68

PHOTOS = 6


@register
class Centred(Annotator):
    """Says that all landmarks lie on a circle in the middle of the square that it is shown, left and right ones on
    either side."""

    name, title, version, looks = "toy", "The toy", "7", True
    points = frozenset(IBUG68.points)

    def open(self):
        self.lock = threading.Lock()  # as a graph, it cannot be pickled

    def close(self):
        del self.lock

    def find(self, picture, scheme):
        assert not self.lock.locked()
        one, other = np.arange(scheme.count), np.array(scheme.mirror)
        angle = np.pi / 2 + np.pi * np.sign(one - other) * np.minimum(one + 1, other + 1) / scheme.count
        in_face = picture.size / 2 - 0.5 + picture.size / 4 * np.stack([np.cos(angle), np.sin(angle)], axis=-1)
        linear, offset = picture.to_face[:, :2], picture.to_face[:, 2]
        return ((in_face - offset) @ np.linalg.inv(linear).T).astype(np.float32)


def on_the_circle(landmarks, tolerance):
    """Are landmarks `[N, K, 2]`, pixels of faces of 32, the toy's?"""
    return np.linalg.norm(landmarks - 15.5, axis=-1) == pytest.approx(np.full(landmarks.shape[:2], 8), abs=tolerance)


@pytest.fixture(scope="session")
def circles(once):
    """A dataset of six photos of 100 x 80 pixels, annotated by the toy through the command line."""
    from lmedge.cli import main

    def make(folder):
        (folder / "photos").mkdir(parents=True)
        for i in range(PHOTOS):
            picture = np.random.default_rng(i).integers(0, 255, (80, 100, 3)).astype(np.uint8)
            Image.fromarray(picture).save(folder / "photos" / f"{i}.png")
        words = ("prepare", folder / "photos", "--out", folder / "faces", "--annotator", "toy", "--crop", "none",
                 "--size", 32, "--licence", "CC0-1.0", "--workers", 1)  # fmt: skip
        assert main([str(word) for word in words]) == 0

    return once("circles", make) / "faces"


def test_one_file_adds_an_annotator_that_worker_processes_know_too(circles):
    dataset = FaceDataset(circles)
    assert dataset.provenance == Provenance("toy", "7", {"crop": "none", "margin": 0.1}, "CC0-1.0")
    assert len(dataset) == PHOTOS
    assert on_the_circle(dataset.landmarks, 1e-3)


def test_info_names_the_annotator_and_its_version(circles, lmedge_here):
    assert ", toy 7\n" in lmedge_here("info", circles).stdout


def test_help_and_refusal_name_all_annotators(lmedge_here):
    assert "{mediapipe,pts,drawn,toy}" in lmedge_here("prepare", "--help").stdout
    with pytest.raises(UsageError, match=r"--annotator dlib: there is none of this name; take one of mediapipe, pts"):
        PrepareConfig(photos=("photos",), out="faces", annotator="dlib")


def test_a_name_is_given_once():
    with pytest.raises(UsageError, match="there is an annotator pts already"):
        register(type("Other", (Centred,), {"name": "pts"}))
    assert names() == ("mediapipe", "pts", "drawn", "toy") and register(Centred) is Centred


def test_drawn_photos_are_none(tmp_path, lmedge_here):
    Image.new("RGB", (20, 20)).save(tmp_path / "a.png")
    done = lmedge_here("prepare", tmp_path, "--out", tmp_path / "out", "--annotator", "drawn")
    assert done.returncode == 2 and "photos have not been drawn" in done.stderr


def test_generated_faces_are_looked_at_by_their_own_annotator_or_face_mesh():
    assert looking(Provenance("toy", "7"), IBUG49)[0].name == "toy"
    for name in ("mediapipe", "pts", "drawn", "lgen", "registered elsewhere", "not stated"):
        annotator, placed = looking(Provenance(name, ""), IBUG68)
        assert annotator.name == "mediapipe" and placed == IBUG68


def test_an_annotator_gives_a_scheme_whose_points_it_can_place():
    hand = IBUG49.from_json({**IBUG49.to_json(), "name": "mine", "origin": ["hand", *IBUG49.origin[1:]]}, "mine.json")
    mesh = annotator_named("mediapipe")
    assert mesh.gives(IBUG68) and not mesh.gives(hand)
    vertices = hand.from_json({**hand.to_json(), "origin": [f"facemesh/{i}" for i in range(49)]}, "mine.json")
    assert mesh.gives(vertices) and not annotator_named("drawn").gives(vertices)
    with pytest.raises(UsageError, match=r"Face Mesh has no right_brow_0 \(hand/right_brow_0\), so it"):
        mesh.check(hand)
    for own in ("pts", "toy"):  # iBUG's points tell where the face is
        annotator, placed = looking(Provenance(own, "7"), hand)
        assert annotator.name == "mediapipe" and placed == IBUG49


def test_exact_points_come_with_the_drawing():
    exact = np.arange(136, dtype=np.float32).reshape(68, 2)
    found = annotator_named("drawn").find(Picture.of_face(np.zeros((8, 8, 3), np.uint8), exact), IBUG49)
    assert (found[0] == exact[17]).all() and found.shape == (49, 2)


def test_the_module_that_defines_one_is_all_that_travels(circles):
    """dataset.json carries names and numbers, no module and no path."""
    about = json.loads((circles / "dataset.json").read_text())
    assert "test_registry" not in json.dumps(about)
