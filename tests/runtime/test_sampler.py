import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lmedge.bounds import cores
from lmedge.errors import LmedgeError, UsageError
from lmedge.keras_model import to_uint8
from lmedge.landmarks import in_pixels
from lmedge.latent import uniform
from lmedge.manifest import MANIFEST
from lmedge.run import Run
from lmedge.runtime import FaceSampler, interpreter
from lmedge.runtime.gallery import interpolate
from lmedge.runtime.interpreter import installed
from lmedge.runtime.options import InterpolateConfig
from lmedge.variants import suitable

RENDER = """
import json, sys
from lmedge.runtime import FaceSampler
faces = FaceSampler(sys.argv[1], sys.argv[2], sys.argv[3]).sample(3, 5)
heavy = sorted({"tensorflow", "keras", "cv2", "mediapipe", "tyro"} & set(sys.modules))
print(json.dumps([heavy, faces.images.tolist(), faces.landmarks.tolist()]))
"""


def in_a_fresh_process(bundle, variant, name):
    done = subprocess.run(
        [sys.executable, "-c", RENDER, str(bundle), variant, name], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    heavy, images, landmarks = json.loads(done.stdout)
    return heavy, np.array(images), np.array(landmarks)


@pytest.mark.parametrize("name", ["litert", "tflite"])
@pytest.mark.parametrize("variant", ["fp32", "int8"])
def test_each_interpreter_draws_what_keras_draws_and_loads_no_tensorflow(bundle, trained, variant, name):
    if name not in installed():
        pytest.skip(f"{name} is not installed")
    heavy, images, landmarks = in_a_fresh_process(bundle, variant, name)
    assert heavy == []
    run = Run(trained)
    z = uniform(3, 8, 5)
    wanted = to_uint8(run.generator()(z)).astype(int)
    points = in_pixels(np.asarray(run.lgen()(z)), 32, 32)
    levels, pixels = (1, 1e-3) if variant == "fp32" else (12, 0.5)
    assert np.abs(images - wanted).max() <= levels
    assert np.abs(landmarks - points).max() < pixels


THREADS = """
import json
from pathlib import Path
from lmedge.runtime import FaceSampler
def running(): return len(list(Path("/proc/self/task").iterdir()))
counts = [running()]
for options in ({}, {"threads": 0}):
    sampler = FaceSampler(variant="fp32", interpreter="tflite", **options)
    sampler.sample(1)
    counts.append(running())
print(json.dumps(counts))
"""


def test_tflite_runtime_draws_on_one_thread_unless_told_otherwise():
    """Its threads wait for each other in a loop, and crawl where anything else uses the cores."""
    if "tflite" not in installed():
        pytest.skip("tflite-runtime is not installed")
    done = subprocess.run([sys.executable, "-c", THREADS], capture_output=True, text=True, check=True)
    alone, usual, told = json.loads(done.stdout)
    assert usual == alone and told == alone + cores() - 1


def test_a_sampler_gives_images_landmarks_and_latents(bundle):
    sampler = FaceSampler(bundle, "fp32", threads=1)
    faces = sampler.sample(5, seed=2)
    assert faces.images.shape == (5, 32, 32, 3) and faces.images.dtype == np.uint8
    assert faces.landmarks.shape == (5, 49, 2) and faces.landmarks.dtype == np.float32
    assert (faces.latents == uniform(5, 8, 2)).all() and len(faces) == 5
    chunks = list(sampler.stream(5, seed=2, chunk=2))
    assert [len(chunk) for chunk in chunks] == [2, 2, 1]
    assert (np.concatenate([chunk.images for chunk in chunks]) == faces.images).all()
    line = sampler.interpolate(2, 3, 4)
    assert (line.images[0] == faces.images[0]).all() and (line.images[-1] == sampler.sample(1, 3).images[0]).all()


def test_latents_of_another_length_are_refused(bundle):
    with pytest.raises(UsageError, match=r"latents of shape \(2, 9\) are not \[N, 8\]"):
        FaceSampler(bundle).render(np.zeros((2, 9), np.float32))


def test_a_wrong_interpreter_is_refused(bundle, monkeypatch):
    with pytest.raises(UsageError, match="'onnx' is unknown"):
        FaceSampler(bundle, interpreter="onnx")
    if "tflite" in installed():
        with pytest.raises(UsageError, match="does not work in a process that has imported TensorFlow"):
            FaceSampler(bundle, interpreter="tflite")
    for threads in (-1, 40_000):
        with pytest.raises(UsageError, match=rf"--threads must be between 0 and .* not {threads}\."):
            FaceSampler(bundle, threads=threads)
    monkeypatch.setattr(interpreter, "installed", dict)
    with pytest.raises(LmedgeError, match=r"no TFLite interpreter is installed; pip install .*\[litert\]"):
        FaceSampler(bundle)
    with pytest.raises(UsageError, match="ai-edge-litert is not installed"):
        FaceSampler(bundle, interpreter="litert")


def test_the_variant_suits_the_interpreter(bundle):
    assert FaceSampler(bundle, interpreter="litert").variant == "int8"
    assert suitable("tflite", FaceSampler(bundle).bundle.image_psnr) == "fp32"


def test_sample_writes_faces_landmarks_and_a_contact_sheet(bundle, tmp_path, lmedge):
    out = tmp_path / "faces"
    done = lmedge("sample", bundle, "--count", 5, "--seed", 3, "--out", out, "--variant", "fp32")
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in out.iterdir()) == [
        MANIFEST, "contact.png", *(f"face-{i:05}.png" for i in range(5)), "landmarks.csv", "latents.npz",
    ]  # fmt: skip
    faces = FaceSampler(bundle, "fp32").sample(5, 3)
    with (out / "landmarks.csv").open() as file:
        rows = list(csv.reader(file))
    assert rows[0][:3] == ["file", "right_brow_0_x", "right_brow_0_y"] and len(rows) == 6
    assert rows[0][-1] == "confidence" and float(rows[4][-1]) == pytest.approx(faces.confidence[3], abs=1e-3)
    assert np.array(rows[4][1:99], float) == pytest.approx(faces.landmarks[3].ravel(), abs=1e-3)
    assert rows[0][99] == "right_brow_0_confidence"
    assert np.array(rows[4][99:-1], float) == pytest.approx(faces.point_confidence[3], abs=1e-3)
    with Image.open(out / rows[4][0]) as picture:
        assert (np.asarray(picture) == faces.images[3]).all()
    with Image.open(out / "contact.png") as picture:
        sheet = np.asarray(picture)
    side = (sheet.shape[0] - 2) // 2  # five faces, and below them with landmarks
    assert sheet.shape == (2 * side + 2, 5 * side + 8, 3)
    for number, image in enumerate(faces.images):
        left = number * (side + 2)
        shown = [sheet[top : top + side, left : left + side] for top in (0, side + 2)]
        assert shown[0].mean() == pytest.approx(image.mean(), abs=2)
        assert not (shown[0] == (120, 255, 80)).all(axis=-1).any() and (shown[1] == (120, 255, 80)).all(axis=-1).any()
    before = (out / "landmarks.csv").read_bytes()
    done = lmedge("sample", bundle, "--count", 5, "--out", out)
    assert done.returncode == 2 and "add --overwrite" in done.stderr
    assert (out / "landmarks.csv").read_bytes() == before
    assert lmedge("sample", bundle, "--count", 2, "--out", out, "--overwrite").returncode == 0
    assert len(list(out.glob("face-*.png"))) == 2


def test_interpolate_draws_a_strip(bundle, tmp_path, lmedge):
    out = tmp_path / "strip.png"
    args = ("interpolate", bundle, "--seed", 1, "--to-seed", 2, "--steps", 6, "--out", out)
    assert lmedge(*args).returncode == 0
    with Image.open(out) as picture:
        assert picture.size == (6 * 130 - 2, 128)
    assert lmedge(*args).returncode == 2
    assert lmedge(*args, "--overwrite", "--no-landmarks").returncode == 0
    for name in ("strip.jpg", "strip.WEBP", "strip.bmp", "strip.tiff"):
        interpolate(InterpolateConfig(bundle=bundle, steps=2, out=tmp_path / name))
        with Image.open(tmp_path / name) as picture:
            endings = {ending for ending, format_ in Image.registered_extensions().items() if format_ == picture.format}
            assert Path(name).suffix.lower() in endings and picture.size == (2 * 130 - 2, 128)
    for name, steps, reason in (("strip.txt", 2, "take a name that ends in one of .png, .jpg"),
                                ("strip", 2, "take a name that ends in one of .png, .jpg"),
                                ("a.webp", 200, "a WEBP has at most 16383 pixels a side, this has 25600")):  # fmt: skip
        with pytest.raises(UsageError, match=reason):
            interpolate(InterpolateConfig(bundle=bundle, steps=steps, out=tmp_path / name))
    done = lmedge("interpolate", bundle, "--steps", 1, "--out", tmp_path / "b.png")
    assert done.returncode == 2 and "--steps must be between 2 and 1000, not 1" in done.stderr


def test_a_full_disk_is_said_and_leaves_nothing_half_written(bundle, small_disk, lmedge):
    (small_disk / "filler").write_bytes(bytes(1000 << 10))
    done = lmedge("sample", bundle, "--count", 200, "--out", small_disk / "faces")
    assert done.returncode == 1 and "the disk is full" in done.stderr.splitlines()[-1]
    assert [path.name for path in small_disk.iterdir()] == ["filler"]


def test_sample_writes_nothing_outside_its_folder(bundle, tmp_path):
    """Neither beside it, nor in the working folder, the home or the folder for temporary files."""
    places = {name: tmp_path / name for name in ("work", "home", "tmp", "out")}
    for place in places.values():
        place.mkdir()
    variables = {"HOME": str(places["home"]), "TMPDIR": str(places["tmp"]), "PATH": "/usr/bin:/bin"}
    command = [sys.executable, "-B", "-m", "lmedge", "sample", str(bundle), "--count", "2", "--out"]
    done = subprocess.run(
        [*command, str(places["out"] / "faces")], cwd=places["work"], env=variables, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert {path.parent.name for path in tmp_path.rglob("*") if path.is_file()} == {"faces"}
    names = {path.name for path in (places["out"] / "faces").iterdir()}
    assert names >= {"face-00000.png", "face-00001.png", "landmarks.csv", "latents.npz", "contact.png"}
    assert len(names) == 6
