"""The models that come with lmedge."""

import json
import os
import shutil
import subprocess
import sys
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from convert.options import ExportConfig
from lmedge.errors import LmedgeError, UsageError
from lmedge.evaluation.options import EvaluateConfig, ReportConfig
from lmedge.gan.families.began.options import BeganConfig
from lmedge.inversion.options import InvertConfig, InvertPhotoConfig
from lmedge.landmarks import nme
from lmedge.lgen.options import TrainLgenConfig
from lmedge.runtime import FaceSampler
from lmedge.runtime.bundle import BUNDLE_FILE, Bundle
from lmedge.shipped import NAMES, PRETRAINED, REFERENCE_RUN, models
from tests.conftest import FOUND_LOOKS, drawn_photo, file_system


def contents(folder):
    return {path: (path.is_file() and path.read_bytes(), path.stat().st_mtime_ns) for path in folder.rglob("*")}


# Both fit into the package; `lmedge export` makes the others.
VARIANTS = {"reference": {"fp32", "int8", "int8-qat"}, "student": {"fp16", "int8", "int8-io", "int8-qat"}}


@pytest.mark.parametrize("model", models())
def test_it_is_whole_small_and_says_what_it_is(model):
    bundle = Bundle.open(model)
    assert set(bundle.variants) == VARIANTS[model]
    for variant in bundle.variants:
        bundle.model(variant)  # hash and structure
    assert bundle.about["training"]["licence"] == "CelebA: non-commercial research use only"
    assert bundle.about["training"]["kimg"] >= 400
    card = (PRETRAINED / model / "README.md").read_text()
    assert "Research use only" in card and f"{bundle.about['training']['kimg']:.0f} thousand images" in card
    for variant in bundle.variants:
        assert f"| {variant} |" in card


def test_nothing_else_is_in_the_package_and_all_of_it_is_small():
    assert {path.name for path in PRETRAINED.iterdir()} == set(models()) <= set(NAMES)
    assert sum(path.stat().st_size for path in PRETRAINED.rglob("*") if path.is_file()) < 12 << 20


@pytest.mark.parametrize("model", models())
def test_a_model_is_its_bundle_and_its_networks(model):
    variants = {f"faces-{v}.tflite" for v in VARIANTS[model]}
    assert {path.name for path in (PRETRAINED / model).iterdir()} == {
        BUNDLE_FILE, "README.md", "reference.npz", "run", *variants}  # fmt: skip
    run = PRETRAINED / model / "run"
    kept = {path.name for path in run.iterdir()}
    networks = {"generator.keras", "lgen.keras", "confidence.keras", "point_confidence.keras"}
    assert kept == {"config.json", "lgen.json", *networks}
    stages = json.loads((run / "config.json").read_text())["stages"]
    assert not [value for options in stages.values() for value in options.values() if "/" in str(value)]


@pytest.mark.parametrize("model", models())
def test_exported_again_it_has_its_name_and_shows_first_what_it_showed(model):
    from convert.stage import _shown
    from lmedge.run import Run

    about = Bundle.open(model)
    assert _shown(ExportConfig(run=model, out="x"), Run.open(model)) == (about.about["name"], about.clean)
    said = _shown(ExportConfig(run=model, out="x", name="mine", truncation=0.9), Run.open(model))
    assert said[0] == "mine" and said[1].truncation["person"] == 0.9


@pytest.mark.parametrize("model", models())
def test_its_networks_draw_what_its_models_draw(model):
    from lmedge.keras_model import weights_hash
    from lmedge.run import Run

    run, sampler = Run.open(model), FaceSampler(model, variant=min(VARIANTS[model]))
    generator, lgen = run.generator(), run.lgen()
    assert Bundle.open(model).about["version"] == weights_hash(generator)[:12]
    faces = sampler.sample(8, seed=3)
    drawn = np.clip(np.asarray(generator(faces.latents)) * 127.5 + 127.5, 0, 255)
    levels, pixels = {"reference": (0.51, 1e-3), "student": (2, 0.1)}[model]  # bytes are rounded, and fp16 is
    assert np.abs(drawn - faces.images).max() < levels
    assert np.asarray(run.confidence()(faces.latents))[:, 0] == pytest.approx(faces.confidence, abs=pixels / 10)
    assert np.asarray(lgen(faces.latents)) * faces.images.shape[1] - 0.5 == pytest.approx(faces.landmarks, abs=pixels)


def test_face_mesh_finds_its_faces_near_its_landmarks():
    from lmedge.annotators.face_mesh import FaceMesh

    sampler = FaceSampler(variant="fp32")
    faces = sampler.sample(100, seed=11)
    with FaceMesh() as mesh:
        found = [mesh.of_face(image, sampler.scheme) for image in faces.images]
    kept = [i for i, points in enumerate(found) if points is not None]
    assert len(kept) >= 97
    errors = nme(faces.landmarks[kept], np.stack([found[i] for i in kept]), sampler.scheme)
    assert errors.mean() < 0.03
    # The surest faces are the ones that it gets right.
    sure = np.argsort(-faces.confidence[kept])[: len(kept) // 2]
    assert errors[sure].mean() < 0.9 * errors.mean()


def test_sample_and_interpolate_take_it_where_no_bundle_is_named_and_say_so(tmp_path, lmedge):
    done = lmedge("sample", "--count", 3, "--out", tmp_path / "faces")
    assert done.returncode == 0 and "the model that comes with lmedge (CelebA: non-commercial" in done.stderr
    sampler = FaceSampler()
    wanted = sampler.sample(64)
    wanted = wanted[np.flatnonzero(wanted.confidence >= sampler.clean.min_confidence)[:3]]
    table = (tmp_path / "faces" / "landmarks.csv").read_text().splitlines()
    *values, sure = (float(value) for value in table[1].split(",")[1:])
    count = wanted.landmarks[0].size
    assert values[:count] == pytest.approx(wanted.landmarks[0].ravel().tolist(), abs=0.11)
    assert values[count:] == pytest.approx(wanted.point_confidence[0].tolist(), abs=0.1)
    assert sure == pytest.approx(wanted.confidence[0], abs=0.1)
    done = lmedge("interpolate", "--steps", 3, "--out", tmp_path / "strip.png")
    assert done.returncode == 0 and "the model that comes with lmedge" in done.stderr


@pytest.mark.slow
def test_bench_takes_it(tmp_path, lmedge):
    done = lmedge("bench", "--variants", "int8", "--threads", 1, "--seconds", 0.02, "--no-face-mesh", "--out",
                  tmp_path / "perf.json")  # fmt: skip
    assert done.returncode == 0 and "the model that comes with lmedge" in done.stderr
    rows = json.loads((tmp_path / "perf.json").read_text())["rows"]
    assert {row["variant"] for row in rows} == {"int8"}


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """The package folder of the model as it may be installed: nobody may write it."""
    from lmedge import shipped

    with file_system(tmp_path / "package", "size=16m") if os.geteuid() == 0 else nullcontext(tmp_path) as disk:
        folder = shutil.copytree(PRETRAINED, disk / "pretrained")
        if os.geteuid() == 0:
            subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        for path in [*folder.rglob("*"), folder] if os.geteuid() else ():
            path.chmod(path.stat().st_mode & 0o555)
        monkeypatch.setattr(shipped, "PRETRAINED", folder)
        yield folder / "reference"
        for path in [folder, *folder.rglob("*")] if os.geteuid() else ():
            path.chmod(0o755)


def test_verbs_that_write_into_a_run_refuse_it(toys):
    from lmedge.evaluation.evaluate import evaluate
    from lmedge.evaluation.report import report
    from lmedge.gan.train import train_gan
    from lmedge.inversion.invert import invert
    from lmedge.lgen.train import train_lgen

    run, before = REFERENCE_RUN, contents(PRETRAINED)
    for stage, config, instead in (
        (evaluate, EvaluateConfig(run=run), ", or add --out FOLDER"),
        (report, ReportConfig(run=run), ", or add --out FOLDER"),
        (invert, InvertConfig(run=run, faces=toys), ""),
        (train_lgen, TrainLgenConfig(run=run), ""),
        (train_gan, BeganConfig(dataset=toys, run=run, preset="toy32"), ""),
    ):
        for called in (run, Path("pretrained")):
            if stage is train_gan and called != run:
                continue  # which makes a run; see tests/test_shipped.py
            with pytest.raises(UsageError) as refused:
                stage(replace(config, run=called))
            assert str(refused.value) == (
                f"{run} comes with lmedge and is never written to; copy it (cp -r {run} my-run) and name the "
                f"copy{instead}."
            )
    with pytest.raises(UsageError, match="name a folder of your own"):
        report(ReportConfig(run=run, out=PRETRAINED / "report"))
    assert contents(PRETRAINED) == before


def test_it_is_measured_inverted_and_exported_where_nobody_may_write_it(installed, tmp_path, monkeypatch):
    from convert.stage import export_run
    from lmedge.evaluation.evaluate import evaluate
    from lmedge.evaluation.report import report
    from lmedge.inversion.photo import invert_photo
    from lmedge.run import Run

    run, out, before = installed / "run", tmp_path / "figures", contents(installed)
    with pytest.raises(LmedgeError, match=rf"logged nothing yet, .* `lmedge evaluate .* --out {out}` measures"):
        report(ReportConfig(run=run, out=out))
    evaluate(EvaluateConfig(run=run, samples=4, mirror_pairs=1, out=out))
    figures = json.loads((out / "metrics.json").read_text())
    assert figures["held_out"] == json.loads((run / "lgen.json").read_text())["held_out"]
    page = (out / "index.html").read_text()
    kimg = f"{Run.open(run).config()['stages']['train-gan']['kimg']:g}"
    assert f"trained for {kimg} kimg" in page and f"0 of {kimg}" not in page
    assert report(ReportConfig(run=run, out=out)) == out / "index.html"
    assert json.loads((out / "metrics.json").read_text()) == figures and (out / "random.png").exists()
    assert (out / "index.html").read_text() == page
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "index.html").write_text("somebody's page")
    with pytest.raises(UsageError, match=r"--out .*other"):
        evaluate(EvaluateConfig(run=run, out=tmp_path / "other"))
    Image.fromarray(drawn_photo(FOUND_LOOKS[0])).save(tmp_path / "me.png")
    monkeypatch.chdir(tmp_path)
    picture = invert_photo(InvertPhotoConfig(run="pretrained", photo="me.png", rounds=1, steps=2))
    assert picture.picture.resolve() == tmp_path / "me-inverted.png" and picture.picture.exists()
    export_run(ExportConfig(run="reference", out=tmp_path / "bundle", variants=("fp32",), calibration=4))
    assert contents(installed) == before


@pytest.mark.slow
def test_it_is_in_the_wheel(tmp_path):
    root = PRETRAINED.parents[1]
    source = tmp_path / "source"
    for name in ("lmedge", "convert", "pyproject.toml", "README.md", "LICENSE"):
        copy = shutil.copytree if (root / name).is_dir() else shutil.copy
        copy(root / name, source / name) if source.exists() else (source.mkdir(), copy(root / name, source / name))
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", tmp_path, source]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode and "setuptools" in done.stderr:
        pytest.skip("setuptools cannot be fetched")
    assert done.returncode == 0, done.stderr
    import zipfile

    (wheel,) = tmp_path.glob("*.whl")
    assert wheel.stat().st_size < 13_000_000
    with zipfile.ZipFile(wheel) as file:
        for path in PRETRAINED.rglob("*.*"):
            assert file.read(f"lmedge/pretrained/{path.relative_to(PRETRAINED).as_posix()}") == path.read_bytes()
