import json
import shutil

import numpy as np
import pytest

from lmedge.errors import LmedgeError, UsageError
from lmedge.latent import uniform
from lmedge.runtime import FaceSampler
from lmedge.runtime.directions import controls, measured, towards
from lmedge.scheme import IBUG49
from lmedge.web import vendor
from lmedge.web.export import web_export
from lmedge.web.options import ServeConfig, WebExportConfig
from lmedge.web.serve import serve


def test_the_folder_holds_the_page_the_model_and_litert_js(site):
    facts = json.loads((site / "web.json").read_text())
    assert facts["model"] == "faces-int8-qat.tflite" and (site / facts["model"]).stat().st_size > 100_000
    assert facts["scheme"] == "ibug49" and facts["curves"] == [list(curve) for curve in IBUG49.curves]
    assert "non-commercial research" in facts["about"]
    assert {path.name for path in (site / "litert").iterdir()} == set(vendor.FILES)
    assert (site / "litert" / "litert_wasm_internal.wasm").read_bytes()[:4] == b"\0asm"


def test_the_page_says_whose_photos_the_model_was_trained_on_wherever_its_bundle_does(bundle, vendored, tmp_path):
    about = json.loads((bundle / "bundle.json").read_text())
    told, other = about.pop("provenance"), tmp_path / "bundle"
    shutil.copytree(bundle, other)
    for i, (facts, said) in enumerate([
        ({"provenance": {**told, "licence": "CC0-1.0"}}, "CC0-1.0"), ({"training": {"licence": "ours"}}, "ours"),
        ({}, "photos whose licence is not stated"),
    ]):  # fmt: skip
        (other / "bundle.json").write_text(json.dumps({**about, "training": {}, **facts}))
        page = web_export(WebExportConfig(bundle=other, out=tmp_path / str(i))).out
        assert json.loads((page / "web.json").read_text())["about"].endswith(f"Trained on: {said}.")


def test_directions_are_the_inverse_of_a_linear_model():
    z = uniform(500, 6, 1)
    slopes = np.random.default_rng(0).normal(size=(6, 2))
    moves = towards(z, (z @ slopes + (3, -1)).astype(np.float32))
    assert moves @ slopes == pytest.approx(np.eye(2), abs=1e-4)
    assert moves == pytest.approx(np.linalg.pinv(slopes), abs=1e-4)


def test_the_controls_of_the_page_change_one_thing_each(site):
    facts = json.loads((site / "web.json").read_text())
    assert [control["name"] for control in facts["controls"]][:3] == ["Turn", "Mouth", "Light"]
    sampler = FaceSampler(threads=1)
    z = sampler.latent.draw(64, 1)
    light = facts["controls"][2]
    brighter = sampler.render(sampler.latent.clip(z + 20 * np.array(light["direction"], np.float32)))
    change = brighter.images.mean() - sampler.render(z).images.mean()
    assert 10 < change < 30  # asked for: 20 levels


def test_a_bundle_knows_its_controls_and_one_that_does_not_is_measured(bundle, tmp_path):
    sampler = FaceSampler(bundle, "fp32", threads=1)
    known = controls(sampler)
    again = measured(sampler)
    assert [control.name for control in known] == ["Turn", "Mouth", "Light"]
    for one, other in zip(known, again, strict=True):
        assert one.direction == pytest.approx(other.direction, rel=1e-3, abs=1e-4) and one.high == other.high
    about = json.loads((bundle / "bundle.json").read_text())
    other = tmp_path / "bundle"
    shutil.copytree(bundle, other)
    first = about.pop("controls")[0]
    (other / "bundle.json").write_text(json.dumps(about))
    assert len(controls(FaceSampler(other, "fp32", threads=1))) == 3
    for wrong in ([], ["Turn"], [{"name": "Turn"}], [{**first, "direction": [1.0, 2.0]}]):
        (other / "bundle.json").write_text(json.dumps({**about, "controls": wrong}))
        found = controls(FaceSampler(other, "fp32", threads=1))
        assert [control.direction.shape for control in found] == [(8,)] * 3


def test_what_a_browser_cannot_run_is_refused(every_variant, bundle, vendored, tmp_path):
    wanted = WebExportConfig(bundle=every_variant, out=tmp_path / "out", variant="int8-io")
    with pytest.raises(UsageError, match="a browser cannot run int8-io .* take int8-qat or int8"):
        web_export(wanted)
    lone = tmp_path / "faces-int8-io.tflite"
    shutil.copy(every_variant / lone.name, lone)
    with pytest.raises(UsageError, match="export the run with --variants int8-qat"):
        web_export(WebExportConfig(bundle=lone, out=tmp_path / "out"))
    with pytest.raises(UsageError, match="has no such model; take one of fp32, int8"):
        web_export(WebExportConfig(bundle=bundle, out=tmp_path / "out", variant="fp64"))
    assert not (tmp_path / "out").exists()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="holds mine.txt, and no .lmedge.json says that lmedge wrote it"):
        web_export(WebExportConfig(bundle=bundle, out=tmp_path / "full", overwrite=True))
    assert (tmp_path / "full" / "mine.txt").read_text() == "mine"


def test_a_bundle_of_another_schema_is_refused(bundle, tmp_path):
    other = tmp_path / "bundle"
    shutil.copytree(bundle, other)
    about = json.loads((other / "bundle.json").read_text())
    (other / "bundle.json").write_text(json.dumps({**about, "schema": 3}))
    with pytest.raises(LmedgeError, match="has schema 3, this version reads 2; export the run again"):
        serve(ServeConfig(bundle=other, port=0))
