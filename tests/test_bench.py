import json
import shutil

import numpy as np
import pytest

from convert import flatbuffer as fb
from convert.parity import keras_faces
from lmedge.bench import Row, _ship, bench
from lmedge.config import BenchConfig
from lmedge.errors import LmedgeError, UsageError
from lmedge.run import Run
from lmedge.runtime import Faces, FaceSampler
from lmedge.runtime.interpreter import installed
from lmedge.runtime.parity import Parity, compare
from lmedge.runtime.timing import Timing, time_model
from lmedge.storage import read_arrays


def timing(milliseconds, psnr):
    parity = Parity(16, psnr, 1.0, 9, 0.001)
    return Timing(1, 1.0, 1.0, milliseconds, milliseconds, 1.0, 1, {}, parity)


def test_what_is_fastest_and_draws_well_is_shipped():
    rows = [
        Row("litert", "fp32", 9, timing(3.0, 90)),
        Row("litert", "int8", 9, timing(1.0, 44)),
        Row("litert", "int8-qat", 9, timing(1.03, 46)),  # within a twentieth, and better
        Row("litert", "dynamic", 9, timing(0.5, 20)),  # does not draw well
        Row("litert", "int8-io", 9, timing(0.5, 44)),  # for microcontrollers
        Row("litert", "stock int8", 9, timing(0.1, 50)),
        Row("tflite", "fp32", 9, timing(2.0, 90)),
        Row("tflite", "int8", 9, timing(4.0, 44)),
        Row("tflite", "dynamic", 9, None, "refused"),
    ]
    assert _ship(rows) == {"litert": "int8-qat", "tflite": "fp32"}


def test_bench_times_each_variant_on_each_interpreter(bundle, trained, tmp_path, lmedge):
    out = tmp_path / "perf.json"
    done = lmedge("bench", bundle, "--seconds", 0.02, "--out", out, "--compare", "stock", "--run", trained)
    assert done.returncode == 0, done.stderr
    figures = json.loads(out.read_text())
    interpreters = [name for name in ("litert", "tflite") if name in installed()]
    rows = {(row["interpreter"], row["variant"], row["timing"]["threads"]) for row in figures["rows"] if row["timing"]}
    for name in interpreters:
        for variant in ("fp32", "int8", "stock fp32", "stock int8"):
            assert (name, variant, 1) in rows
        assert f"ship this on {figures['machine']['interpreters'][name]}: {figures['ship'][name]}" in done.stdout
    for row in figures["rows"]:
        values = row["timing"]
        assert 0 < values["median_ms"] <= values["p95_ms"] and values["load_ms"] > 0 and values["peak_mib"] > 0
        if row["variant"] == "fp32":
            assert values["parity"]["image_max_levels"] <= 1
    assert figures["face_mesh"]["faces"] == 40 and figures["face_mesh"]["median_ms"] > 0
    assert {"date", "processor", "cores", "python"} <= set(figures["machine"])
    assert "x stock" in done.stdout and "of the time of the image" in done.stdout
    again = lmedge("bench", bundle, "--seconds", 0.02, "--out", out)
    assert again.returncode == 2 and "add --overwrite" in again.stderr


def test_a_refusal_of_an_interpreter_is_a_row(bundle, tmp_path):
    copy = shutil.copytree(bundle, tmp_path / "b")
    about = json.loads((copy / "bundle.json").read_text())
    root = fb.read((copy / "faces-int8.tflite").read_bytes())
    root.operatorCodes[0].version = 99  # of a runtime yet to come
    (copy / "faces-int8.tflite").write_bytes(fb.write(root))
    del about["variants"]["int8"]["sha256"]
    (copy / "bundle.json").write_text(json.dumps(about))
    result = bench(BenchConfig(bundle=copy, seconds=0.01, threads=(1,), interpreters=("litert",), face_mesh=False))
    rows = {row.variant: row for row in result.rows}
    assert rows["int8"].timing is None and "does not run on ai-edge-litert" in rows["int8"].refused
    assert result.ship == {"litert": "fp32"}


def test_wrong_calls_are_refused(bundle, trained, tmp_path):
    with pytest.raises(UsageError, match="name their run with --run"):
        bench(BenchConfig(bundle=bundle, compare="stock"))
    with pytest.raises(UsageError, match="--variant fp16: .* has no such model"):
        bench(BenchConfig(bundle=bundle, variants=("fp16",)))
    with pytest.raises(UsageError, match="--threads must be"):
        bench(BenchConfig(bundle=bundle, threads=(0,)))
    run = shutil.copytree(trained, tmp_path / "run")
    network = Run(run).generator()
    network.set_weights([weight + 0.01 for weight in network.get_weights()])
    network.save(run / "generator.keras")
    with pytest.raises(UsageError, match="is not the run that .* was exported from"):
        bench(BenchConfig(bundle=bundle, compare="stock", run=run))


def test_an_interpreter_that_is_not_installed_is_refused(bundle, monkeypatch):
    monkeypatch.setattr("lmedge.bench.installed", dict)
    with pytest.raises(UsageError, match="--interpreters tflite: tflite-runtime is not installed"):
        bench(BenchConfig(bundle=bundle, interpreters=("tflite",)))
    with pytest.raises(LmedgeError, match="no TFLite interpreter is installed"):
        bench(BenchConfig(bundle=bundle))


def test_the_reference_in_the_bundle_is_what_keras_computes(bundle, trained):
    reference = Faces(**read_arrays(bundle / "reference.npz"))
    run = Run(trained)
    faces = keras_faces(run.generator(), run.lgen(), reference.latents)
    assert (faces.images == reference.images).all() and len(reference) == 16
    assert faces.landmarks == pytest.approx(reference.landmarks, abs=1e-4)


def test_parity_is_what_the_formulas_say(bundle):
    sampler = FaceSampler(bundle, "fp32")
    faces = sampler.sample(3)
    images = faces.images.astype(int)
    off = Faces(np.clip(images + 2, 0, 255).astype(np.uint8), faces.landmarks + np.array([3.0, 4.0]), faces.latents)
    found = compare(off, faces, sampler.scheme)
    square = ((off.images.astype(float) - images) ** 2).mean()
    assert found.image_psnr == pytest.approx(10 * np.log10(255**2 / square), abs=0.01)
    assert found.image_error == pytest.approx(square**0.5, rel=0.01) and found.image_max_levels == 2
    eyes = faces.landmarks[:, sampler.scheme.index(36)] - faces.landmarks[:, sampler.scheme.index(45)]
    assert found.landmark_nme == pytest.approx((5 / np.linalg.norm(eyes, axis=1)).mean(), rel=0.01)
    assert compare(faces, faces, sampler.scheme).image_psnr == 99


def test_a_model_is_timed_in_a_process_of_its_own(bundle):
    found = time_model(bundle / "faces-fp32.tflite", "litert", 1, 0.01, part="landmarks")
    assert found.parity is None and found.partitions == 1 and found.per_second > 10
    with pytest.raises(LmedgeError, match="has no signature 'nothing'"):
        time_model(bundle / "faces-fp32.tflite", "litert", 1, 0.01, part="nothing")
