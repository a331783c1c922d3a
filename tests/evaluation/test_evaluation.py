import html
import json
import re
import shutil

import numpy as np
import pytest
from PIL import Image

from lmedge.annotators.face_mesh import FaceMesh
from lmedge.block import Block
from lmedge.errors import LmedgeError
from lmedge.evaluation import metrics, paths
from lmedge.evaluation.evaluate import evaluate
from lmedge.evaluation.options import EvaluateConfig, ReportConfig
from lmedge.evaluation.report import report
from lmedge.faces.records import FaceDataset
from lmedge.gan.options import TrainGanConfig
from lmedge.inversion.inverter import Inverter
from lmedge.inversion.latents import load_latents
from lmedge.inversion.search import Search
from lmedge.keras_model import Generator, KerasFaceModel
from lmedge.landmarks import normalised
from lmedge.latent import LatentSpec, uniform
from lmedge.run import Run
from lmedge.scheme import IBUG49
from lmedge.shapes import ShapeSpace
from tests.conftest import FOUND_LOOKS, drawn_photo


class Album:
    """A generator that shows drawn photos, whatever the latent, and the landmarks that Face Mesh finds."""

    input_shape, output_shape = (None, 8), (None, 64, 64, 3)
    get_weights = list  # it has none

    def __init__(self, count, shift=0.0, blank=0):
        self.count, self.shift, self.calls = count, shift, 0
        self.faces = np.stack([np.asarray(Image.fromarray(drawn_photo(look)).resize((64, 64))) for look in FOUND_LOOKS])
        self.faces[:blank] = 128
        with FaceMesh() as mesh:
            found = [mesh.of_face(face, IBUG49) for face in self.faces]
        self.points = np.stack([points if points is not None else np.zeros((49, 2)) for points in found])

    def indices(self, z):
        order = uniform(self.count, 8, 3)
        return np.array([int(np.flatnonzero((order == row).all(axis=1))[0]) % len(self.faces) for row in np.asarray(z)])

    def __call__(self, z, training=False):
        return self.faces[self.indices(z)] / np.float32(127.5) - 1

    def lgen(self, z, training=False):
        return normalised((self.points[self.indices(z)] + self.shift).astype(np.float32), 64, 64)


def face_model(album, lgen=None, confidence=None, latent=None):
    return KerasFaceModel(Generator(album, latent), lgen or album.lgen, confidence, scheme=IBUG49)


def ignore(count):
    pass


def test_self_consistency_is_zero_for_what_face_mesh_itself_says_and_sees_a_shift():
    album = Album(20)
    counted = []
    result = metrics.self_consistency(face_model(album), FaceMesh(), uniform(20, 8, 3), counted.append)
    assert sum(counted) == 20 and result.missed == 0 and len(result.errors) == 20
    assert result.kept is None and result.asked is None
    assert result.single < 1e-3 < result.shift and result.errors.mean() < 0.03 < result.mean_face
    # The two views stand on both sides of their mean.
    assert result.errors.mean() == pytest.approx(result.mirror / 2, rel=0.1)
    assert result.explained > 0.9 and result.points.shape == (49,)
    assert result.points.mean() == pytest.approx(result.errors.mean(), rel=1e-3)
    shifted = Album(20, shift=2.0)
    eyes = np.linalg.norm(album.points[:, 19] - album.points[:, 28], axis=1)
    wanted = np.mean([np.sqrt(8) / eyes[i % 10] for i in range(20)])
    result = metrics.self_consistency(face_model(shifted), FaceMesh(), uniform(20, 8, 3), counted.append)
    assert result.single == pytest.approx(wanted, abs=0.02)


def test_what_was_asked_for_errs_as_an_l_gen_that_takes_it_at_its_word():
    album, random = Album(20), np.random.default_rng(0)
    mean = normalised(album.points.mean(axis=0), 64, 64).ravel()
    axes = 0.2 * np.linalg.qr(random.normal(size=(98, 8)))[0].T
    space = ShapeSpace(tuple(mean.tolist()), tuple(map(tuple, axes.tolist())))
    latent = LatentSpec((Block("shape", 8, shapes=space),))

    def at_its_word(z, training=False):
        return (mean + z @ np.array(space.axes)).reshape(-1, 49, 2).astype(np.float32)

    z = uniform(20, 8, 3)
    says = [metrics.self_consistency(face_model(album, lgen, latent=latent), FaceMesh(), z, ignore)
            for lgen in (None, at_its_word)]  # fmt: skip
    assert says[1].errors.mean() > 2 * says[0].errors.mean()
    assert [found.asked for found in says] == pytest.approx([float(says[1].errors.mean())] * 2, rel=1e-4)


def test_the_most_confident_faces_have_the_smallest_errors():
    album = Album(20)
    album.points[:2] += 5  # 4 of the 20 faces are wrong, as is known

    def confidence(z, training=False):
        return (album.indices(z) >= 2)[:, None].astype(np.float32)

    result = metrics.self_consistency(face_model(album, confidence=confidence), FaceMesh(), uniform(20, 8, 3), ignore)
    assert result.kept == pytest.approx(np.sort(result.errors)[:16].mean(), rel=1e-3)
    assert result.kept < 0.5 * result.errors.mean()


def test_pictures_without_a_face_are_counted_as_missed():
    album = Album(20, blank=3)
    result = metrics.self_consistency(face_model(album), FaceMesh(), uniform(20, 8, 3), ignore)
    assert result.missed == pytest.approx(6 / 20) and len(result.errors) == 14
    assert (
        metrics.self_consistency(face_model(Album(20, blank=10), album.lgen), FaceMesh(), uniform(20, 8, 3), ignore)
        is None
    )


def test_errors_are_told_apart_by_pose():
    points = np.tile(np.linspace(10, 50, 98).reshape(49, 2).astype(np.float32), (30, 1, 1))
    right, left, nose = 19, 28, IBUG49.index("ibug68/30")
    points[:, right], points[:, left], points[:, nose] = (20, 20), (40, 20), (30, 30)
    points[:12, nose] = (37, 30)  # 0.35 of the distance of the eyes
    points[:, IBUG49.index("ibug68/62")], points[:, IBUG49.index("ibug68/66")] = (30, 40), (30, 41)
    points[25:, IBUG49.index("ibug68/66")] = (30, 43)
    poses = metrics.by_pose(np.arange(30, dtype=np.float32), points, IBUG49)
    assert poses["to half profile"] == {"faces": 12, "nme": 5.5} and poses["frontal"] == {"faces": 18, "nme": 20.5}
    assert poses["turned"] == {"faces": 0} and poses["mouth open"] == {"faces": 5}
    assert poses["mouth closed"] == {"faces": 25, "nme": 12.0}


def test_the_error_on_inverted_faces_is_shared_out():
    album = Album(20)
    z = uniform(20, 8, 3)
    true = album.points[album.indices(z)] + 3  # the photos differ from their inversions by 3 pixels
    eyes = np.linalg.norm(album.points[:, 19] - album.points[:, 28], axis=1)[album.indices(z)]
    found = metrics.faults(face_model(album), z, true.astype(np.float32), FaceMesh(), ignore)
    assert found.faces == 20 and found.reading < 1e-3
    assert (
        found.total == pytest.approx((np.sqrt(18) / eyes).mean(), rel=1e-3) == pytest.approx(found.inversion, rel=1e-2)
    )


def test_people_s_style_is_told_from_error():
    album = Album(20)
    z = uniform(20, 8, 3)
    images = album.faces[album.indices(z)]
    eyes = np.linalg.norm(album.points[:, 19] - album.points[:, 28], axis=1)[album.indices(z)]
    offset = np.random.default_rng(0).normal(0, 0.05, (49, 2))  # people mean other places by the same names
    true = (album.points[album.indices(z)] + offset * eyes[:, None, None]).astype(np.float32)
    found = metrics.people(face_model(album), z, images, true, FaceMesh(), np.full(20, 21.0, np.float32))
    wanted = np.linalg.norm(offset, axis=1).mean()
    assert found.annotator == pytest.approx(wanted, rel=0.05) == pytest.approx(found.lgen, rel=0.05)
    assert found.inverted == pytest.approx(found.annotator, rel=1e-3) and found.psnr == 21
    assert found.style < 0.2 * wanted and found.lgen_style < 0.2 * wanted and found.mean_face > 0


def test_a_straight_path_is_as_long_as_its_ends_are_apart_and_a_detour_longer():
    size, steps = 64, paths.STEPS
    weights = np.random.default_rng(0).normal(0, 0.05, (8, 98)).astype(np.float32)

    def straight(z, training=False):
        return 0.5 + (np.asarray(z) @ weights).reshape(-1, 49, 2)

    def bent(z, training=False):
        return straight(z) + 0.3 * np.sin(9 * np.asarray(z)[:, :1, None])

    class Grey:
        input_shape, output_shape = (None, 8), (None, size, size, 3)
        get_weights = list

        def __call__(self, z, training=False):
            return np.zeros((len(z), size, size, 3), np.float32)

    line, detour = (paths.random_paths(face_model(Grey(), lgen), uniform(6, 8, 1)) for lgen in (straight, bent))
    assert line.z.shape == (3, steps, 8) and (line.z[:, 0] == uniform(6, 8, 1)[:3]).all()
    found = paths.continuity(line, FaceMesh(), IBUG49)
    assert found.length == pytest.approx(1, abs=1e-3) and found.largest_over_mean == pytest.approx(1, abs=1e-2)
    assert found.found == 0 and found.agreement is None and found.agreement_worst is None
    assert paths.continuity(detour, FaceMesh(), IBUG49).length > 1.5


def test_mirror_paths_begin_at_the_face_and_their_jumps_are_those_of_the_points(trained, toys):
    run = Run(trained)
    latents, real = load_latents(run), FaceDataset(toys).images([4, 9])
    inverter = Inverter(run.generator(), run.latent, Search(rounds=2, batch=2), np.ones((32, 32), np.float32))
    walked = paths.mirror_paths(run.face_model(), latents, real, np.array([4, 9]), inverter)
    ends = run.face_model().generator.images(inverter(real[:, :, ::-1] / np.float32(127.5) - 1))
    assert np.abs(walked.faces[:, -1].astype(int) - ends).max() <= 1
    assert walked.faces.shape == (2, 16, 32, 32, 3) and walked.landmarks.shape == (2, 16, 49, 2)
    assert (walked.faces[:, 0] == run.face_model().generator.images(latents.z[[4, 9]])).all()
    jump = np.linalg.norm(walked.landmarks[1, 6] - walked.landmarks[1, 5], axis=-1).mean()
    eyes = np.linalg.norm(walked.landmarks[1, 0, 19] - walked.landmarks[1, 0, 28])
    assert walked.jumps.shape == (2, 15) and walked.jumps[1, 5] == pytest.approx(jump / eyes, rel=1e-4)


@pytest.fixture
def run(trained, tmp_path):
    return Run(shutil.copytree(trained, tmp_path / "run"))


def test_the_report_has_every_figure_and_every_picture(run):
    result = evaluate(EvaluateConfig(run=run.path, samples=8, mirror_pairs=2))
    figures = json.loads(run.metrics_file.read_text())
    assert {"held_out", "face_found", "inversion_psnr", "realism", "mirror_path", "failure_rate"} <= set(figures)
    assert figures["held_out"] == json.loads(run.lgen_metrics_file.read_text())["held_out"]
    page = html.unescape((run.report / "index.html").read_text())
    shown = re.findall(r'<img src="([^"]+)" alt="[^"]+"', page)
    assert sorted(shown) == sorted(path.name for path in run.report.glob("*.png"))
    assert {
        "samples.png",
        "neighbours.png",
        "landmarks.png",
        "inversions.png",
        "mirror.png",
        "training.png",
        "errors.png",
    } <= set(shown)
    for label, text in result.lines:
        assert label.strip() in page and text in page
    with Image.open(run.report / "mirror.png") as picture:
        assert picture.width > 18 * 90  # real, sixteen steps, mirrored
    # a second report replaces the first
    evaluate(EvaluateConfig(run=run.path, samples=8, mirror_pairs=2))
    assert (run.report / "index.html").exists()


def test_a_run_that_is_half_way_gets_the_report_it_can_have(run):
    shutil.rmtree(run.latents)
    run.lgen_file.unlink()
    result = evaluate(EvaluateConfig(run=run.path, samples=8))
    assert result.figures.keys() == {"options", "notes", "realism"} and len(result.notes) == 2
    page = (run.report / "index.html").read_text()
    assert "run <code>lmedge invert" in page and "the run has no L-Gen" in page and "samples.png" in page
    run.generator_file.unlink()
    with pytest.raises(LmedgeError, match="run `lmedge train-gan` first"):
        evaluate(EvaluateConfig(run=run.path))


def test_a_dataset_that_is_gone_is_noted(run):
    about = json.loads((run.latents / "latents.json").read_text())
    (run.latents / "latents.json").write_text(json.dumps({**about, "dataset": "/nowhere"}))
    run.record("train-gan", {**run.stage("train-gan", TrainGanConfig), "dataset": "/nowhere"})
    result = evaluate(EvaluateConfig(run=run.path, samples=8))
    assert sum("/nowhere" in note for note in result.notes) == 2 and "realism" not in result.figures


def test_the_page_is_drawn_again_while_a_training_runs(trained, tmp_path, lmedge_here):
    run = Run(shutil.copytree(trained, tmp_path / "run"))
    run.generator_file.unlink()  # what a training has before its first checkpoint
    page = report(ReportConfig(run=run.path)).read_text()
    assert f"Not evaluated yet; <code>lmedge evaluate {run.path}</code> adds" in page and "how badly D repeats" in page
    assert "newest.png" in page and (run.report / "training.png").exists()
    with run.log_file.open("a") as file:
        for kimg in (1, 2):
            line = {
                "step": kimg * 250,
                "kimg": kimg,
                "frechet": 3.0,
                "kernel": 0.1,
                "frechet_real": 1.0,
                "kernel_real": 0,
            }
            file.write(json.dumps(line) + "\n")
        file.write(json.dumps({"step": 500, "kimg": 2, "event": "k has been <0> for long"}) + "\n")
    done = lmedge_here("report", run.path)
    assert done.returncode == 0 and "report/index.html" in done.stdout
    page = (run.report / "index.html").read_text()
    assert "judged.png" in page and "2 kimg: k has been &lt;0&gt; for long" in page


def test_figures_of_an_evaluation_stay_on_the_page(run):
    result = evaluate(EvaluateConfig(run=run.path, samples=8, mirror_pairs=2))
    picture = (run.report / "mirror.png").read_bytes()
    page = html.unescape(report(ReportConfig(run=run.path)).read_text())
    for label, text in result.lines:
        assert label.strip() in page and text in page
    assert (run.report / "mirror.png").read_bytes() == picture and "mirror.png" in page


def test_a_run_without_a_log_has_no_report(tmp_path, lmedge_here):
    Run.create(tmp_path / "run")
    done = lmedge_here("report", tmp_path / "run")
    assert done.returncode == 1 and "has logged nothing yet" in done.stderr
