"""A run of the relativistic family, from the command line."""

import json

import numpy as np
import pytest

from lmedge.cli import main
from lmedge.faces.records import FaceDataset
from lmedge.inversion.invert import invert
from lmedge.inversion.options import InvertConfig
from lmedge.landmarks import in_pixels, mirrored, nme, normalised
from lmedge.latent import LatentSpec
from lmedge.run import Run

OPTIONS = ("--family", "relativistic", "--preset", "toy32", "--width", 8, "--latent", 6, "--shape", 4, "--batch", 4,
           "--precision", "float32", "--penalty-every", 2, "--anneal", 0, "--checkpoint-every", 0.012, "--log-every",
           0.008, "--sample-every", 0.5, "--judge-every", 0.5)  # fmt: skip


def words(toys, run, kimg):
    return "train-gan", toys, "--run", run, *OPTIONS, "--kimg", kimg


@pytest.fixture(scope="module")
def whole(toys, tmp_path_factory):
    folder = tmp_path_factory.mktemp("relativistic") / "whole"
    assert main([str(word) for word in words(toys, folder, 0.04)]) == 0
    return Run.open(folder)


def test_a_continued_run_equals_a_whole_one(whole, toys, tmp_path, lmedge_here):
    for kimg in (0.016, 0.04):
        assert lmedge_here(*words(toys, tmp_path / "halves", kimg)).returncode == 0
    halves = Run.open(tmp_path / "halves")
    assert halves.latent == whole.latent
    for one, other in zip(whole.generator().get_weights(), halves.generator().get_weights(), strict=True):
        assert np.array_equal(one, other)


def test_the_shapes_of_a_run_are_the_landmarks_of_its_faces_and_their_mirror_images(whole, toys):
    dataset, block = FaceDataset(toys), whole.latent.shape
    points = np.concatenate([dataset.landmarks, mirrored(dataset.landmarks, dataset.size, dataset.scheme)])
    z = block.shapes.latents(normalised(points, dataset.size, dataset.size))
    # Four components leave little of the faces unsaid, and far less than the mean face does.
    said = in_pixels(block.shapes.landmarks(z), dataset.size, dataset.size)
    mean = in_pixels(block.shapes.landmarks(np.zeros((1, 4), np.float32)), dataset.size, dataset.size)
    error = nme(said, points, dataset.scheme).mean()
    assert error < 0.5 * nme(np.repeat(mean, len(points), 0), points, dataset.scheme).mean()
    assert z.mean(axis=0) == pytest.approx(np.zeros(4), abs=1e-3) and z.std(axis=0) == pytest.approx(0.25, rel=1e-2)
    # What is drawn is spread as the faces are, in each direction.
    drawn = whole.latent.split(whole.latent.draw(4000))["shape"]
    assert np.cov(drawn.T) == pytest.approx(np.cov(np.clip(z, -1, 1).T), abs=0.02)


def test_a_run_says_its_family_logs_its_figures_and_is_shown(whole, lmedge_here):
    assert json.loads(whole.config_file.read_text())["stages"]["train-gan"]["family"] == "relativistic"
    line = whole.log()[-1]
    assert {"loss_d", "loss_g", "right", "slope_real", "slope_fake"} <= line.keys() and 0 <= line["right"] <= 1
    assert line["slope_real"] > 0 and line["slope_fake"] > 0
    assert lmedge_here("report", whole.path).returncode == 0
    assert "relativistic" in (whole.report / "index.html").read_text()
    assert "asks for 49 landmarks" in lmedge_here("info", whole.path).stdout


@pytest.fixture(scope="module")
def latents(whole, toys):
    return invert(InvertConfig(run=whole.path, faces=toys, start="centre", steps=2, batch=16))


def test_both_blocks_are_found_by_inversion(whole, latents):
    parts = LatentSpec.split(whole.latent, latents.z)
    assert all(np.abs(part).max() <= 1 and np.abs(part).std() > 1e-4 for part in parts.values())


@pytest.mark.usefixtures("latents")
def test_the_report_says_how_wrong_what_was_asked_for_is(whole, lmedge_here):
    assert lmedge_here("train-lgen", whole.path, "--data", "inverted", "--steps", 4, "--hidden", 4).returncode == 0
    said = lmedge_here("evaluate", whole.path, "--samples", 8, "--mirror-pairs", 1).stdout
    asked = f"{whole.lgen_metrics()['asked_nme']:.2%}"
    line = next(line for line in said.splitlines() if line.startswith("  what was asked for instead"))
    assert line.endswith(asked) and asked in (whole.report / "index.html").read_text()
    assert f"{json.loads(whole.metrics_file.read_text())['asked_nme']:.2%}" == asked


def test_another_family_does_not_go_on(whole, toys, lmedge_here):
    refused = lmedge_here(
        "train-gan", toys, "--run", whole.path, "--family", "began", "--preset", "toy32", "--batch", 4
    )
    assert refused.returncode == 2 and "--family is 'began'" in refused.stderr and "'relativistic'" in refused.stderr
