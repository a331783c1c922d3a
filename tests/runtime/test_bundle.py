import json
import shutil

import pytest

from lmedge.errors import LmedgeError, UsageError
from lmedge.latent import LatentSpec
from lmedge.runtime import Bundle, FaceSampler
from lmedge.runtime.bundle import landmarks_form
from lmedge.scheme import IBUG49, IBUG68


@pytest.fixture
def copy(bundle, tmp_path):
    return shutil.copytree(bundle, tmp_path / "bundle")


def change(folder, edit):
    path = folder / "bundle.json"
    about = json.loads(path.read_text())
    edit(about)
    path.write_text(json.dumps(about))


def test_a_flipped_byte_is_refused(copy):
    path = copy / "faces-fp32.tflite"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(LmedgeError, match="faces-fp32.tflite is damaged: its SHA-256 is not the bundle's"):
        FaceSampler(copy, "fp32")
    assert FaceSampler(copy, "int8").variant == "int8"


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (lambda about: about.update(schema=1), "has schema 1, this version reads 2"),
        (lambda about: about.pop("variants"), "lacks 'variants'"),
        (lambda about: about["variants"]["int8"].update(file="../../etc/passwd"), "is not a file of the bundle"),
        (lambda about: about["variants"]["int8"].update(file=".."), "is not a file of the bundle"),
        (lambda about: about.pop("landmarks"), "does not say what its landmarks are"),
        (lambda about: about["landmarks"].pop("mirror"), "'landmarks' lacks 'mirror'"),
        (lambda about: about["landmarks"].update(reference=[0, 49]), r"'landmarks' has the reference \[0, 49\]"),
        (lambda about: about["variants"].update(int8=[]), r"bundle.json has \[\] for 'int8'"),
        (lambda about: about["variants"].update({"\x1b[2J": {"file": "a"}}), r"names the variant '\\x1b\[2J'"),
        (lambda about: about.update(training="CC0"), "bundle.json has 'CC0' for 'training'"),
        (lambda about: about["training"].update(held_out_nme="low"), "bundle.json has 'low' for 'held_out_nme'"),
    ],
)
def test_a_wrong_manifest_is_refused(copy, edit, reason):
    change(copy, edit)
    with pytest.raises(LmedgeError, match=reason):
        Bundle.open(copy)


def test_a_scheme_that_the_model_does_not_have_is_refused(copy):
    change(copy, lambda about: about.update(landmarks=landmarks_form(IBUG68)))
    with pytest.raises(LmedgeError, match="gives 49 points, and ibug68 has 68"):
        FaceSampler(copy)


def test_what_is_no_bundle_is_refused(tmp_path, toys):
    with pytest.raises(UsageError, match="does not exist; name a bundle"):
        Bundle.open(tmp_path / "none")
    with pytest.raises(UsageError, match="is not a bundle"):
        Bundle.open(toys)
    (tmp_path / "a.txt").touch()
    with pytest.raises(UsageError, match="neither a bundle folder nor a .tflite"):
        Bundle.open(tmp_path / "a.txt")
    (tmp_path / "a.tflite").write_text("not a model at all")
    with pytest.raises(LmedgeError, match="is not a TFLite model"):
        FaceSampler(tmp_path / "a.tflite")


def test_a_missing_model_and_an_unknown_variant_are_refused(copy):
    with pytest.raises(UsageError, match="--variant fp16: .* take one of fp32, int8"):
        FaceSampler(copy, "fp16")
    (copy / "faces-int8.tflite").unlink()
    with pytest.raises(LmedgeError, match="cannot be read"):
        FaceSampler(copy, "int8")


def test_a_model_without_its_manifest_still_runs(bundle):
    alone, together = FaceSampler(bundle / "faces-fp32.tflite"), FaceSampler(bundle, "fp32")
    assert alone.scheme == together.scheme and alone.latent.size == 8
    assert (alone.sample(2).images == together.sample(2).images).all()


def test_the_manifest_holds_what_the_design_promises(bundle):
    about = json.loads((bundle / "bundle.json").read_text())
    assert about["latent"] == LatentSpec.uniform(8).to_json() and Bundle.open(bundle).latent == LatentSpec.uniform(8)
    assert about["image"] == {"width": 32, "height": 32, "channels": "RGB", "low": 0, "high": 255}
    marks = about["landmarks"]
    assert marks["scheme"] == "ibug49" and marks["count"] == 49
    assert {"name": "ibug49", **marks}.items() >= json.loads(json.dumps(IBUG49.to_json())).items()
    for name, entry in about["variants"].items():
        assert entry["bytes"] == (bundle / entry["file"]).stat().st_size
        assert entry["min_runtime"] != "unknown", name
        assert set(entry["parity"]) == {
            "image_psnr", "image_error", "landmark_nme", "image_max_levels", "latents", "confidence_error",
            "point_confidence_error",
        }  # fmt: skip
    assert about["training"]["licence"] == "CC0-1.0" and about["training"]["faces"] == 48
