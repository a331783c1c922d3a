"""What a bundle shows first, and how the rest is drawn."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from convert import export
from lmedge.clean import Clean
from lmedge.errors import LmedgeError, UsageError
from lmedge.latent import LatentSpec
from lmedge.run import Run
from lmedge.runtime import Bundle, FacePool, FaceSampler
from lmedge.runtime.bundle import BUNDLE_FILE

SHOWN = Clean({"z": 0.6}, 0.3)


@pytest.fixture
def cleaner(bundle, tmp_path):
    """A bundle that shows cleaner faces first."""
    return put(shutil.copytree(bundle, tmp_path / "cleaner"), SHOWN.to_json())


def put(bundle, clean):
    about = json.loads((bundle / BUNDLE_FILE).read_text())
    (bundle / BUNDLE_FILE).write_text(json.dumps(about | {"clean": clean}))
    return bundle


def latents(folder):
    with np.load(folder / "latents.npz") as arrays:
        return arrays["z"]


def test_faces_are_drawn_as_the_bundle_recommends_and_all_of_them_on_request(bundle, cleaner):
    sampler, drawn = FaceSampler(cleaner), LatentSpec.uniform(8).draw(20, 4)
    assert sampler.clean == SHOWN and Bundle.open(bundle).clean == Clean()
    for found in (sampler.sample(20, 4).latents, np.concatenate([f.latents for f in sampler.stream(20, 4)])):
        assert (found == drawn * np.float32(0.6)).all()
    with FacePool(cleaner, workers=1) as pool:
        assert (pool.sample(20, 4).latents == drawn * np.float32(0.6)).all()
    assert (sampler.sample(20, 4, truncation=1).latents == drawn).all()
    assert (sampler.sample(20, 4, truncation=0.2).latents == drawn * np.float32(0.2)).all()
    assert (FaceSampler(bundle).sample(20, 4).latents == drawn).all()  # an older bundle
    ends = sampler.interpolate(4, 5, 2).latents
    assert (ends[0] == drawn[0] * np.float32(0.6)).all()
    with pytest.raises(UsageError, match=r"truncation must be between 0.01 and 1, not 0"):
        sampler.sample(1, truncation=0)


def test_sample_leaves_out_what_is_not_clean_and_one_option_gives_the_rest(cleaner, lmedge_here, tmp_path):
    sampler, words = FaceSampler(cleaner), ("--count", 12, "--seed", 4)
    assert lmedge_here("sample", cleaner, *words, "--out", tmp_path / "clean").returncode == 0
    faces = sampler.sample(64, 4)
    chosen = np.flatnonzero(faces.confidence >= 0.3)[:12]
    assert not (chosen == np.arange(12)).all()
    assert (latents(tmp_path / "clean") == faces.latents[chosen]).all()
    assert lmedge_here("sample", cleaner, *words, "--truncation", 1, "--out", tmp_path / "all").returncode == 0
    assert (latents(tmp_path / "all") == LatentSpec.uniform(8).draw(12, 4)).all()
    done = lmedge_here("sample", cleaner, *words, "--min-confidence", 0, "--out", tmp_path / "unsure")
    assert done.returncode == 0 and (latents(tmp_path / "unsure") == faces.latents[:12]).all()


def test_labelled_datasets_are_drawn_from_all(cleaner, lmedge_here, tmp_path):
    done = lmedge_here(
        "synthesize", cleaner, "--count", 8, "--workers", 1, "--format", "csv", "--out", tmp_path / "set"
    )
    assert done.returncode == 0, done.stderr
    points = FaceSampler(cleaner, threads=1).render(LatentSpec.uniform(8).draw(1)).landmarks[0]
    row = next(line for line in (tmp_path / "set" / "landmarks.csv").read_text().splitlines() if "00000" in line)
    assert [float(value) for value in row.split(",")[1:3]] == pytest.approx(points[0].tolist(), abs=0.01)


def test_info_says_what_is_shown_first(cleaner, bundle, lmedge_here):
    lines = [line.split(maxsplit=2) for line in lmedge_here("info", cleaner).stdout.splitlines()]
    assert ["shown", "first", "z drawn at 60%, confidence 0.3 and more"] in lines
    assert "shown first" not in lmedge_here("info", bundle).stdout


@pytest.mark.parametrize(
    ("clean", "said"),
    [
        (
            {"truncation": {"person": 0.5}, "min_confidence": 0},
            "there is a truncation for 'person', and latents have z",
        ),
        ({"truncation": {"z": 1.5}, "min_confidence": 0}, "the truncation of 'z' must be between 0.01 and 1, not 1.5"),
        ({"truncation": {"z": 0.5}, "min_confidence": 2}, "min_confidence must be between 0 and 1, not 2"),
        ({"truncation": {"z": "x"}, "min_confidence": 0}, "has 'x' for 'z', not a number"),
        ({"truncation": {"z": 0.5}}, "lacks 'min_confidence'"),
        (3, "has 3 for 'clean', not an object"),
    ],
)
def test_what_shows_nothing_is_refused(bundle, tmp_path, clean, said):
    with pytest.raises(LmedgeError, match=said):
        Bundle.open(put(shutil.copytree(bundle, tmp_path / "bad"), clean))


def test_the_export_writes_it_into_bundle_and_models(trained, tmp_path):
    run = Run.open(trained)
    networks = run.generator(), run.lgen()
    how = {"scheme": run.scheme, "latent": run.latent, "calibration": 4, "confidence": run.confidence()}
    made = export(*networks, ("fp32",), out=tmp_path / "bundle", clean=SHOWN, **how)
    assert made.clean == FaceSampler(made.path / "faces-fp32.tflite").clean == SHOWN
    for clean, said in ((Clean({"person": 0.5}), "a truncation for 'person'"), (SHOWN, "there is no confidence")):
        with pytest.raises(UsageError, match=said):
            export(*networks, ("fp32",), out=tmp_path / "x", clean=clean, **how | {"confidence": None})
    plain = export(*networks, ("fp32",), out=tmp_path / "plain", **how)
    assert "clean" not in plain.about and replace(SHOWN, truncation={"z": 1}, min_confidence=0).is_all
