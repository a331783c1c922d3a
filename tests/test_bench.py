import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from convert import flatbuffer as fb
from lmedge.bench.bench import bench
from lmedge.bench.options import BenchConfig
from lmedge.bench.ship import Row, Shipped, advice, shipped_of
from lmedge.bounds import cores
from lmedge.errors import LmedgeError, UsageError
from lmedge.run import Run
from lmedge.runtime import Bundle, Faces, FaceSampler
from lmedge.runtime.interpreter import installed
from lmedge.runtime.parity import Parity, compare
from lmedge.runtime.timing import Timing, time_model
from lmedge.shipped import REFERENCE
from lmedge.storage import read_arrays
from lmedge.variants import suitable


def timing(milliseconds, psnr=90.0, threads=1, p95=None):
    parity = Parity(16, psnr, 1.0, 9, 0.001)
    return Timing(threads, 1.0, 1.0, milliseconds, p95 or milliseconds, 1.0, 1, {}, parity)


ROWS = [
    Row("litert", "fp32", 9, timing(3.0)),
    Row("litert", "int8", 9, timing(0.99, 44)),
    Row("litert", "int8-qat", 9, timing(1.0, 46)),
    Row("litert", "dynamic", 9, timing(0.5, 20)),  # does not draw well
    Row("litert", "int8-io", 9, timing(0.5, 44)),  # for microcontrollers
    Row("litert", "stock int8", 9, timing(0.1, 50)),
    Row("tflite", "fp32", 9, timing(2.0, 90)),
    Row("tflite", "fp16", 9, timing(1.9, 60)),
    Row("tflite", "dynamic", 9, None, "refused"),
]


def test_what_suits_the_interpreter_is_shipped_whatever_the_noise():
    assert shipped_of(ROWS, {}) == {"litert": Shipped("int8-qat", None), "tflite": Shipped("fp32", 1)}
    assert advice(ROWS, "tflite", Shipped("fp32", 1), "T") == ["ship this on T: fp32, --threads 1"]


def test_a_variant_that_draws_badly_is_not_shipped_and_one_that_is_clearly_faster_is_said():
    poor = {"int8-qat": 35.0, "int8": 35.0, "dynamic": 20.0, "fp32": 90.0}
    assert shipped_of(ROWS, poor)["litert"].variant == "fp32"
    lines = advice(ROWS, "litert", Shipped("fp32", None), "L")
    assert lines == ["ship this on L: fp32", "  int8 is 3.0 times as fast on this machine: --variant int8"]


@pytest.mark.parametrize(
    ("interpreter", "p95", "threads", "said"),
    [
        ("litert", 0.7, 2, []),
        ("litert", 40.0, 1, []),  # on busy cores some faces wait for both threads
        ("tflite", 40.0, 1, []),
        ("tflite", 0.7, 1, ["  2 threads are 2.0 times as fast, as long as nothing else uses the cores; beside other "
                            "work they are far slower than one"]),
    ],
)  # fmt: skip
def test_threads_are_recommended_with_the_variant(interpreter, p95, threads, said):
    rows = [Row(interpreter, "fp32", 9, timing(1.2)), Row(interpreter, "fp32", 9, timing(0.6, threads=2, p95=p95))]
    shipped = shipped_of(rows, {})[interpreter]
    assert shipped == Shipped("fp32", threads)
    assert advice(rows, interpreter, shipped, "X") == [f"ship this on X: fp32, --threads {threads}", *said]


def test_bench_sample_and_the_documentation_name_the_same_variant():
    bundle = Bundle.open(REFERENCE)
    rows = [Row(name, variant, 9, timing(1.0)) for name in ("litert", "tflite") for variant in bundle.variants]
    ship = {name: shipped.variant for name, shipped in shipped_of(rows, bundle.image_psnr).items()}
    page = " ".join((Path(__file__).parents[1] / "docs" / "results" / "figures.md").read_text().split())
    sentence = f"What to ship: `{ship['litert']}` on ai-edge-litert, `{ship['tflite']}` on one thread of tflite-runtime"
    assert sentence in page
    assert FaceSampler(bundle, interpreter="litert", threads=1).variant == ship["litert"]
    assert suitable("tflite", bundle.image_psnr) == ship["tflite"]


def test_bench_times_each_variant_on_each_interpreter(bundle, trained, tmp_path, lmedge):
    out = tmp_path / "perf.json"
    options = ("--seconds", 0.02, "--threads", 1, "--compare", "stock", "--run", trained)
    done = lmedge("bench", bundle, "--out", out, *options)
    assert done.returncode == 0, done.stderr
    figures = json.loads(out.read_text())
    interpreters = [name for name in ("litert", "tflite") if name in installed()]
    rows = {(row["interpreter"], row["variant"], row["timing"]["threads"]) for row in figures["rows"] if row["timing"]}
    for name in interpreters:
        for variant in ("fp32", "int8", "stock fp32", "stock int8"):
            assert (name, variant, 1) in rows
        ship = figures["ship"][name]
        assert ship["variant"] == suitable(name, Bundle.open(bundle).image_psnr)
        where = figures["machine"]["interpreters"][name]
        threads = ", --threads 1" if name == "tflite" else ""  # of the other one number of them was timed
        assert f"ship this on {where}: {ship['variant']}{threads}\n" in done.stdout
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
    result = bench(BenchConfig(bundle=copy, seconds=0.01, interpreters=("litert",), face_mesh=False))
    rows = {row.variant: row for row in result.rows}
    assert rows["int8"].timing is None and "does not run on ai-edge-litert" in rows["int8"].refused
    assert {row.timing.threads for row in result.rows if row.timing} == {1, cores()}
    shipped = result.ship["litert"]
    assert shipped.variant == "fp32" and shipped.threads in ({1, cores()} if cores() > 1 else {None})


def test_wrong_calls_are_refused(bundle, trained, tmp_path):
    with pytest.raises(UsageError, match="name their run with --run"):
        bench(BenchConfig(bundle=bundle, compare="stock"))
    with pytest.raises(UsageError, match="--variant fp16: .* has no such model"):
        bench(BenchConfig(bundle=bundle, variants=("fp16",)))
    for threads in (0, 40_000):
        with pytest.raises(UsageError, match=f"--threads must be between 1 and .* not {threads}"):
            bench(BenchConfig(bundle=bundle, threads=(threads,)))
    run = shutil.copytree(trained, tmp_path / "run")
    network = Run(run).generator()
    network.set_weights([weight + 0.01 for weight in network.get_weights()])
    network.save(run / "generator.keras")
    with pytest.raises(UsageError, match="is not the run that .* was exported from"):
        bench(BenchConfig(bundle=bundle, compare="stock", run=run))


def test_an_interpreter_that_is_not_installed_is_refused(bundle, monkeypatch):
    monkeypatch.setattr("lmedge.bench.bench.installed", dict)
    with pytest.raises(UsageError, match="--interpreters tflite: tflite-runtime is not installed"):
        bench(BenchConfig(bundle=bundle, interpreters=("tflite",)))
    with pytest.raises(LmedgeError, match="no TFLite interpreter is installed"):
        bench(BenchConfig(bundle=bundle))


def test_the_reference_in_the_bundle_is_what_keras_computes(bundle, trained):
    reference = Faces(**read_arrays(bundle / "reference.npz"))
    faces = Run(trained).face_model().render(reference.latents)
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
    eyes = faces.landmarks[:, sampler.scheme.reference[0]] - faces.landmarks[:, sampler.scheme.reference[1]]
    assert found.landmark_nme == pytest.approx((5 / np.linalg.norm(eyes, axis=1)).mean(), rel=0.01)
    assert compare(faces, faces, sampler.scheme).image_psnr == 99


def test_a_model_is_timed_in_a_process_of_its_own(bundle):
    found = time_model(bundle / "faces-fp32.tflite", "litert", 1, 0.01, part="landmarks")
    assert found.parity is None and found.partitions == 1 and found.per_second > 10
    with pytest.raises(LmedgeError, match="has no signature 'nothing'"):
        time_model(bundle / "faces-fp32.tflite", "litert", 1, 0.01, part="nothing")
