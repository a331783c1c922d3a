"""A run whose landmarks only people can place: what needs somebody who looks is left out and said, the rest is done."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from lmedge.annotators.face_mesh import FaceMesh
from lmedge.datasets import around
from lmedge.errors import LmedgeError, UsageError
from lmedge.faces.cartoon import draw_face
from lmedge.faces.look import random_look
from lmedge.faces.options import PrepareConfig
from lmedge.faces.prepare import prepare
from lmedge.faces.records import FaceDataset
from lmedge.landmarks import nme, write_pts
from lmedge.lgen.options import TrainLgenConfig
from lmedge.lgen.train import train_lgen
from lmedge.pictures import enlarged
from lmedge.processes import Processes
from lmedge.run import Run
from lmedge.runtime.detector import LandmarkDetector
from lmedge.scheme import IBUG49, IBUG68, Scheme, converted
from lmedge.storage import read_json, write_json
from tests.conftest import FOUND_LOOKS, drawn_photo

# The same places as iBUG's, of which nobody says that they are.
BY_HAND = Scheme("mine", IBUG49.names, IBUG49.mirror, IBUG49.curves, IBUG49.reference, ("hand",) * 49)


def changed(file, **facts):
    write_json(file, {**read_json(file, "a test"), **facts})


@pytest.fixture(scope="module")
def faces(toys, tmp_path_factory):
    """The drawn faces with points placed by hand."""
    out = shutil.copytree(toys, tmp_path_factory.mktemp("hand") / "faces")
    changed(out / "dataset.json", scheme=BY_HAND.to_json())
    return FaceDataset(out)


@pytest.fixture
def run(trained, faces, tmp_path):
    """The tiny run as if it had begun with them."""
    run = Run(shutil.copytree(trained, tmp_path / "run"))
    data = {"scheme": BY_HAND.to_json(), "digest": faces.digest}
    changed(run.config_file, dataset={**run.config()["dataset"], **data})
    run.record("train-gan", {**run.config()["stages"]["train-gan"], "dataset": str(faces.path)})
    changed(run.latents / "latents.json", **data, dataset=str(faces.path))
    return run


def test_an_evaluation_has_all_figures_that_nobody_looks_for(run, faces, lmedge_here, monkeypatch):
    monkeypatch.setattr(FaceMesh, "open", lambda mesh: pytest.fail("somebody looks"))
    done = lmedge_here("evaluate", run.path, "--samples", 8, "--mirror-pairs", 2, "--people", faces.path)
    assert done.returncode == 0, done.stderr
    sentence = "Face Mesh cannot place all points of mine."
    assert sentence in done.stdout and sentence in (run.report / "index.html").read_text()
    figures = json.loads(run.metrics_file.read_text())
    assert len(figures["notes"]) == 1 and sentence in figures["notes"][0]
    wanted = {"held_out", "mean_face_nme", "inversion_psnr", "realism", "mirror_path", "random_path", "people"}
    assert wanted <= figures.keys() and not {"self_consistency", "face_found", "faults"} & figures.keys()
    assert figures["mirror_path"]["length"] > 0 and figures["mirror_path"]["found"] is None
    people, mean = figures["people"], np.broadcast_to(faces.landmarks.mean(axis=0), (48, 49, 2))
    assert people["faces"] == 48 and people["annotator"] is people["inverted"] is people["style"] is None
    assert people["mean_face"] == pytest.approx(nme(mean, faces.landmarks, BY_HAND).mean(), rel=1e-4)
    assert people["lgen_style"] < people["lgen"]


def test_a_photo_stands_without_landmarks_beside_its_inversion(run, trained, tmp_path, lmedge_here):
    photo = tmp_path / "photos" / "me.png"
    photo.parent.mkdir()
    Image.fromarray(drawn_photo(FOUND_LOOKS[0])).save(photo)
    said = lmedge_here("invert-photo", run.path, photo)
    assert said.returncode == 0 and "NME" not in said.stdout
    assert "cannot place all points of mine: the photo's landmarks are left out" in " ".join(said.stderr.split())
    prepare(PrepareConfig(photos=(photo.parent,), out=tmp_path / "cut", size=32, workers=1))
    (cut,) = FaceDataset(tmp_path / "cut").images([0])
    with_points = tmp_path / "known.png"
    assert "NME" in lmedge_here("invert-photo", trained, photo, "--out", with_points).stdout
    ours, known = (np.asarray(Image.open(path)) for path in (run.path / "photos" / "me.png", with_points))
    assert (ours[:, :320] == enlarged(cut, 10)).all() and (known[:, :320] != ours[:, :320]).any()
    assert (known[:, 320:] == ours[:, 320:]).all()  # the inversion, with L-Gen's


def test_photos_to_draw_around_are_chosen_by_points_that_face_mesh_places(run, photos, tmp_path, monkeypatch):
    """Whether an inversion is another face is told by any points: iBUG's."""
    monkeypatch.setattr(around, "LEAST_OF_FACE", -99)  # or it is told by the pixels
    photo = next(photos.rglob("*.png"))
    with pytest.raises(LmedgeError, match="draws none of the 1 faces .*no face is found on the inversion"):
        around.centres_around(run, photo, tmp_path, Processes(1))


def test_generated_faces_teach_nothing_where_nobody_sees_their_points(run):
    before = run.lgen_file.read_bytes()
    with pytest.raises(UsageError, match="cannot place all points of mine on generated faces; take --data inverted"):
        train_lgen(TrainLgenConfig(run=run.path, steps=20, hidden=(8,)))
    assert run.lgen_file.read_bytes() == before
    train_lgen(TrainLgenConfig(run=run.path, data="inverted", steps=20, hidden=(8,)))
    assert run.lgen_file.read_bytes() != before


def test_a_detector_learns_points_that_only_people_place(run, tmp_path, lmedge_here):
    album, points = tmp_path / "album", {}
    album.mkdir()
    for look in FOUND_LOOKS[:4]:
        photo, exact = draw_face(random_look(np.random.default_rng((0, look))), 256)
        points[f"{look}.png"] = converted(exact, IBUG68, IBUG49)
        Image.fromarray(photo).save(album / f"{look}.png")
        write_pts(album / f"{look}.pts", points[f"{look}.png"])
    words = ("--real", album, "--generated", 100, "--steps", 1, "--out", tmp_path / "detector")
    done = lmedge_here("train-detector", run.path, *words)
    assert done.returncode == 0 and "1 real faces that were held out" in done.stdout
    assert "landmarks of generated faces stay where L-Gen has them" in " ".join(done.stderr.split())
    assert LandmarkDetector(tmp_path / "detector" / "detector-int8.tflite").scheme == BY_HAND
    cut = FaceDataset(tmp_path / "detector-real")
    width = {name: np.ptp(placed[:, 0]) for name, placed in points.items()}
    for name, placed in zip(cut.sources, cut.landmarks, strict=True):
        scale = np.ptp(placed[:, 0]) / width[name]
        shift = placed.mean(axis=0) - scale * points[name].mean(axis=0)
        assert placed == pytest.approx(scale * points[name] + shift, abs=0.05)  # its own points, moved and shrunk
