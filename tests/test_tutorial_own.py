"""The tutorial of own landmarks is followed: a browser clicks, and every line is run, with smaller numbers."""

import json
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lmedge.labels.folder import LabelFolder
from lmedge.landmarks import read_pts
from lmedge.run import Run
from lmedge.runtime import FaceSampler
from lmedge.runtime.detector import LandmarkDetector
from tests.conftest import FOUND_LOOKS, drawn_photo
from tests.web.screen import waiting

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "tutorial-own-landmarks.md").read_text()
LINES = re.findall(r"^lmedge .+$", PAGE, re.MULTILINE)
FACES = 5  # the fewest that a point needs
# What a line says -> what is run in its place.
SMALLER = {
    "label reference": "label reference --port 0",
    "train-lgen reference": "train-lgen reference --generated 300 --steps 30 --hidden 8",
    "train-detector cheeks": "train-detector cheeks --generated 100 --steps 10",
    "export cheeks --out bundle": "export cheeks --out bundle --variants fp32 --calibration 16",
    "--count 64": "--count 4",
}


def truth(model, z):
    """Where a person sees cheeks and chin on the face of a latent: `[3, 2]` in pixels, told by the known landmarks."""
    known = model.landmarks(z[None])[0].astype(float)
    right, left, tip = (known[model.scheme.index(f"ibug68/{i}")] for i in (36, 45, 30))
    down = (tip - (right + left) / 2) * 0.5
    return np.clip(np.stack([right + down, left + down, tip + 2 * down]), 1, model.width - 2)


def clicked(browser, address, labels, model):
    """Clicks the points of the first faces, one after the other, and confirms the eyes."""
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.goto(address)
    waiting(page, "window.lmedge?.state.ready")
    for face in range(FACES):
        waiting(page, f"lmedge.state.face === {face} && lmedge.state.points.length === 5")
        box = page.locator("#canvas").bounding_box()
        scale = box["width"] / model.width
        for x, y in truth(model, LabelFolder.open(labels).z[face]):
            page.mouse.click(box["x"] + (x + 0.5) * scale, box["y"] + (y + 0.5) * scale)
            waiting(page, "!lmedge.state.store.working")
        page.keyboard.press("a")  # what is left is proposed
        waiting(page, "!lmedge.state.store.working")
        page.keyboard.press("PageDown")
    page.close()


def labelled(command, browser, model):
    """Runs the server as a user does, clicks, and stops it."""
    with subprocess.Popen([sys.executable, "-m", *command], stdout=subprocess.PIPE, text=True) as serving:
        try:
            address = next(found[0] for line in serving.stdout if (found := re.search(r"http://\S+?:\d+", line)))
            clicked(browser, address, Path("labels"), model)
        finally:
            serving.send_signal(signal.SIGINT)
        assert serving.wait(timeout=20) == 130


def picture_size(file):
    with Image.open(file) as picture:
        return picture.size


@pytest.mark.slow
def test_from_clicks_to_landmarks_on_a_photo(browser, trained, tmp_path, monkeypatch, lmedge_here):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(trained, "reference")  # a folder of that name is meant first
    model = Run.open("reference").face_model()
    Path("cheeks.json").write_text(re.search(r"```json\n(.*?)```", PAGE, re.DOTALL)[1])
    Image.fromarray(drawn_photo(FOUND_LOOKS[0])).save("me.jpg")
    assert all(any(said in line for line in LINES) for said in SMALLER), "a line is not in the tutorial any more"
    for line in LINES:
        for said, instead in SMALLER.items():
            line = line.replace(said, instead)
        command = shlex.split(line)
        if command[1] == "label":
            labelled(command, browser, model)
            continue
        done = lmedge_here(*command[1:])
        assert done.returncode == 0, line + done.stdout + done.stderr

    labels = LabelFolder.open(Path("labels"))
    assert labels.complete[:FACES].all()
    for face in range(FACES):
        assert labels.points[face, :3] == pytest.approx(truth(model, labels.z[face]), abs=0.1)
    width, height = picture_size("me.jpg")
    points = read_pts(Path("found/me.pts"))
    assert points.shape == (5, 2) and (points > 0).all() and (points < width).all()
    assert picture_size("found/drawn/me.jpg") == (width, height)
    assert json.loads(Path("detector/detector.json").read_text())["landmarks"]["names"][:3] == [
        "right_cheek", "left_cheek", "chin",
    ]  # fmt: skip
    assert LandmarkDetector(Path("detector/detector-int8.tflite")).scheme.name == "cheeks"
    assert FaceSampler("bundle").sample(2, seed=1).landmarks.shape == (2, 5, 2)
