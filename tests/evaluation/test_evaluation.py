import json
import re
import shutil
from itertools import combinations

import numpy as np
import pytest
from PIL import Image

from lmedge.config import EvaluateConfig
from lmedge.errors import LmedgeError
from lmedge.evaluation import metrics
from lmedge.evaluation.evaluate import evaluate
from lmedge.faces.annotate import FaceMesh
from lmedge.faces.records import FaceDataset
from lmedge.inversion import load_latents
from lmedge.landmarks import IBUG49, normalised
from lmedge.run import Run
from lmedge.runtime import prior
from tests.conftest import FOUND_LOOKS, drawn_photo


def test_diversity_is_the_mean_distance_of_all_pairs():
    faces = np.random.default_rng(0).integers(0, 256, (6, 4, 4, 3)).astype(np.uint8)
    pairs = [np.sqrt(((a.astype(float) - b) ** 2).mean()) for a, b in combinations(faces, 2)]
    assert metrics.diversity(faces) == pytest.approx(np.mean(pairs))
    assert metrics.diversity(faces[[0, 0, 0]]) == 0


class Album:
    """A generator that shows drawn photos, whatever the latent, and the landmarks that Face Mesh finds."""

    input_shape, output_shape = (None, 8), (None, 64, 64, 3)

    def __init__(self, count, shift=0.0, blank=0):
        self.count, self.shift, self.calls = count, shift, 0
        self.faces = np.stack([np.asarray(Image.fromarray(drawn_photo(look)).resize((64, 64))) for look in FOUND_LOOKS])
        self.faces[:blank] = 128
        with FaceMesh() as mesh:
            found = [mesh.of_face(face, IBUG49) for face in self.faces]
        self.points = np.stack([points if points is not None else np.zeros((49, 2)) for points in found])

    def indices(self, z):
        order = prior(self.count, 8, 3)
        return np.array([int(np.flatnonzero((order == row).all(axis=1))[0]) % len(self.faces) for row in np.asarray(z)])

    def __call__(self, z):
        return self.faces[self.indices(z)] / np.float32(127.5) - 1

    def lgen(self, z, training=False):
        return normalised((self.points[self.indices(z)] + self.shift).astype(np.float32), 64, 64)


def test_self_consistency_is_zero_for_what_face_mesh_itself_says_and_sees_a_shift():
    album = Album(20)
    counted = []
    result = metrics.self_consistency(album, album.lgen, IBUG49, 20, 3, counted.append)
    assert sum(counted) == 20 and result.missed == 0 and len(result.errors) == 20
    assert result.errors.max() < 0.02 < result.mean_face
    shifted = Album(20, shift=2.0)
    eyes = np.linalg.norm(album.points[:, 19] - album.points[:, 28], axis=1)
    wanted = np.mean([np.sqrt(8) / eyes[i % 10] for i in range(20)])
    result = metrics.self_consistency(shifted, shifted.lgen, IBUG49, 20, 3, counted.append)
    assert result.errors.mean() == pytest.approx(wanted, abs=0.02)


def test_pictures_without_a_face_are_counted_as_missed():
    album = Album(20, blank=3)
    result = metrics.self_consistency(album, album.lgen, IBUG49, 20, 3, lambda count: None)
    assert result.missed == pytest.approx(6 / 20) and len(result.errors) == 14


def test_mirror_paths_begin_at_the_face_and_their_jumps_are_those_of_the_points(trained, toys):
    run = Run(trained)
    latents, real = load_latents(run), FaceDataset(toys).images([4, 9])
    options = {"steps": 3, "learning_rate": 0.1, "loss": "l1", "seed": 0}
    paths = metrics.mirror_paths(run.generator(), run.lgen(), latents, real, np.array([4, 9]), options)
    assert paths.faces.shape == (2, 16, 32, 32, 3) and paths.landmarks.shape == (2, 16, 49, 2)
    assert (paths.faces[:, 0] == metrics.draw(run.generator(), latents.z[[4, 9]])).all()
    jump = np.linalg.norm(paths.landmarks[1, 6] - paths.landmarks[1, 5], axis=-1).mean()
    eyes = np.linalg.norm(paths.landmarks[1, 0, 19] - paths.landmarks[1, 0, 28])
    assert paths.jumps.shape == (2, 15) and paths.jumps[1, 5] == pytest.approx(jump / eyes, rel=1e-4)


@pytest.fixture
def run(trained, tmp_path):
    return Run(shutil.copytree(trained, tmp_path / "run"))


def test_the_report_has_every_figure_and_every_picture(run):
    result = evaluate(EvaluateConfig(run=run.path, samples=8, mirror_pairs=2))
    figures = json.loads(run.metrics_file.read_text())
    assert {"held_out", "face_found", "inversion_psnr", "diversity", "mirror_path", "failure_rate"} <= set(figures)
    assert figures["held_out"] == json.loads(run.lgen_metrics_file.read_text())["held_out"]
    page = (run.report / "index.html").read_text()
    shown = re.findall(r'<img src="([^"]+)" alt="[^"]+"', page)
    assert sorted(shown) == sorted(path.name for path in run.report.glob("*.png"))
    assert {"samples.png", "landmarks.png", "inversions.png", "mirror.png", "training.png", "errors.png"} <= set(shown)
    for label, _ in result.lines:
        assert label.strip() in page
    with Image.open(run.report / "mirror.png") as picture:
        assert picture.width > 18 * 90  # real, sixteen steps, mirrored
    # a second report replaces the first
    evaluate(EvaluateConfig(run=run.path, samples=8, mirror_pairs=2))
    assert (run.report / "index.html").exists()


def test_a_run_that_is_half_way_gets_the_report_it_can_have(run):
    shutil.rmtree(run.latents)
    run.lgen_file.unlink()
    result = evaluate(EvaluateConfig(run=run.path, samples=8))
    assert result.figures.keys() == {"options"} and len(result.notes) == 2
    page = (run.report / "index.html").read_text()
    assert "run `lmedge invert" in page and "the run has no L-Gen" in page and "samples.png" in page
    run.generator_file.unlink()
    with pytest.raises(LmedgeError, match="run `lmedge train-began` first"):
        evaluate(EvaluateConfig(run=run.path))


def test_a_dataset_that_is_gone_is_noted(run):
    about = json.loads((run.latents / "latents.json").read_text())
    (run.latents / "latents.json").write_text(json.dumps({**about, "dataset": "/nowhere"}))
    result = evaluate(EvaluateConfig(run=run.path, samples=8))
    assert any("/nowhere" in note for note in result.notes) and "diversity" not in result.figures
