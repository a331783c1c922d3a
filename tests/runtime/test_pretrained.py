"""The model that comes with lmedge."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest

from lmedge.config import VariantName
from lmedge.landmarks import nme
from lmedge.runtime import FaceSampler
from lmedge.runtime.bundle import BUNDLE_FILE, PRETRAINED, PRETRAINED_RUN, Bundle


def test_it_is_whole_small_and_says_what_it_is():
    bundle = Bundle.open(PRETRAINED)
    assert set(bundle.variants) == set(VariantName.__args__)
    for variant in bundle.variants:
        bundle.model(variant)  # hash and structure
    assert sum(path.stat().st_size for path in PRETRAINED.rglob("*")) <= 4 << 20
    assert bundle.about["training"]["licence"] == "CelebA: non-commercial research use only"
    assert bundle.about["training"]["kimg"] >= 400
    card = (PRETRAINED / "README.md").read_text()
    assert "Research use only" in card and f"{bundle.about['training']['kimg']:.0f} thousand images" in card
    for variant in bundle.variants:
        assert f"| {variant} |" in card


def test_nothing_else_is_in_the_package():
    names = {path.name for path in PRETRAINED.iterdir()}
    variants = {f"faces-{v}.tflite" for v in VariantName.__args__}
    assert names == {BUNDLE_FILE, "README.md", "reference.npz", "run", *variants}
    kept = {path.name for path in PRETRAINED_RUN.iterdir()}
    assert kept == {"config.json", "generator.keras", "lgen.keras", "confidence.keras", "lgen.json"}
    stages = json.loads((PRETRAINED_RUN / "config.json").read_text())["stages"]
    assert not [value for options in stages.values() for value in options.values() if "/" in str(value)]


def test_its_networks_draw_what_its_models_draw():
    from lmedge.run import Run, weights_hash

    run, sampler = Run.open(PRETRAINED_RUN), FaceSampler(variant="fp32")
    generator, lgen = run.generator(), run.lgen()
    assert Bundle.open(PRETRAINED).about["version"] == weights_hash(generator)[:12]
    faces = sampler.sample(8, seed=3)
    drawn = np.clip(np.asarray(generator(faces.latents)) * 127.5 + 127.5, 0, 255)
    assert np.abs(drawn - faces.images).max() < 0.51  # bytes are rounded
    assert np.asarray(run.confidence()(faces.latents))[:, 0] == pytest.approx(faces.confidence, abs=1e-4)
    assert np.asarray(lgen(faces.latents)) * faces.images.shape[1] - 0.5 == pytest.approx(faces.landmarks, abs=1e-3)


def test_face_mesh_finds_its_faces_near_its_landmarks():
    from lmedge.faces.annotate import FaceMesh

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
    wanted = FaceSampler().sample(3)
    table = (tmp_path / "faces" / "landmarks.csv").read_text().splitlines()
    *points, sure = (float(value) for value in table[1].split(",")[1:])
    assert points == pytest.approx(wanted.landmarks[0].ravel().tolist(), abs=0.11)
    assert sure == pytest.approx(wanted.confidence[0], abs=0.1)
    done = lmedge("interpolate", "--steps", 3, "--out", tmp_path / "strip.png")
    assert done.returncode == 0 and "the model that comes with lmedge" in done.stderr


def test_bench_takes_it(tmp_path, lmedge):
    done = lmedge("bench", "--variants", "int8", "--threads", 1, "--seconds", 0.02, "--no-face-mesh", "--out",
                  tmp_path / "perf.json")  # fmt: skip
    assert done.returncode == 0 and "the model that comes with lmedge" in done.stderr
    rows = json.loads((tmp_path / "perf.json").read_text())["rows"]
    assert {row["variant"] for row in rows} == {"int8"}


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
    assert wheel.stat().st_size < 5_000_000
    with zipfile.ZipFile(wheel) as file:
        for path in PRETRAINED.rglob("*.*"):
            assert file.read(f"lmedge/pretrained/{path.relative_to(PRETRAINED).as_posix()}") == path.read_bytes()
