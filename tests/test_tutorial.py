"""Every line of the tutorial is run, on drawn faces and with smaller numbers; so is every cell of its notebook."""

import json
import re
import shlex
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import matplotlib as mpl
import pytest
from PIL import Image

from lmedge.errors import LmedgeError
from lmedge.web.vendor import litert_js
from tests.conftest import FOUND_LOOKS, drawn_photo

DOCS = Path(__file__).resolve().parents[1] / "docs"
LINES = re.findall(
    r"^(?!#).+$", "".join(re.findall(r"```sh\n(.*?)```", (DOCS / "tutorial.md").read_text(), re.DOTALL)), re.MULTILINE
)
# What a line says -> what is run in its place.
SMALLER = {
    "--size 64": "--size 32 --workers 1",
    "--preset cpu64 --kimg 400": "--preset toy32 --width 8 --latent 8 --batch 4 --precision float32 --kimg 0.1 "
    "--log-every 0.02 --sample-every 9 --judge-every 9",
    "lmedge invert run faces": "lmedge invert run faces --steps 3",
    "lmedge train-lgen run": "lmedge train-lgen run --data inverted --steps 20 --hidden 8 --held-out 0.2",
    "lmedge evaluate run": "lmedge evaluate run --samples 16 --mirror-pairs 1",
    "lmedge export run": "lmedge export run --variants fp32 --calibration 16",
    "--count 64": "--count 4",
    "--count 2000": "--count 4",
    "--min-confidence 0.2 ": "--workers 1 ",
    "--host 0.0.0.0 --port 8000": "--port 0",
}
SMALLER_CELLS = {
    'preset="cpu64", kimg=400': 'preset="toy32", width=8, latent=8, batch=4, precision="float32", kimg=0.1, '
    "log_every=0.02, sample_every=9, judge_every=9",
    'faces="faces")': 'faces="faces", steps=3)',
    'TrainLgenConfig(run="run")': 'TrainLgenConfig(run="run", data="inverted", steps=20, hidden=(8,), held_out=0.2)',
}
# Which file each line leaves, in the order of the page.
LEAVES = {
    "sample --count 64 --out first": "first/contact.png",
    "prepare": "faces/contact.png",
    "train-gan": "run/generator.keras",
    "report": "run/report/index.html",
    "invert run faces": "run/latents",
    "invert-photo": "me.png",
    "train-lgen": "run/lgen.keras",
    "evaluate": "run/metrics.json",
    "export": "bundle/bundle.json",
    "sample bundle": "samples/contact.png",
    "interpolate": "strip.png",
    "web-export": "site/index.html",
    "synthesize": "synthetic/README.md",
    "sample bundle --like": "alike/contact.png",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with drawn photos, in which the tutorial is followed."""
    folder = tmp_path_factory.mktemp("tutorial")
    (folder / "photos").mkdir()
    for look in FOUND_LOOKS:
        Image.fromarray(drawn_photo(look, 128)).save(folder / "photos" / f"{look}.png")
    Image.fromarray(drawn_photo(FOUND_LOOKS[0])).save(folder / "me.jpg")
    return folder


def smaller(line, numbers=SMALLER):
    """A line with small numbers."""
    for said, instead in numbers.items():
        line = line.replace(said, instead)
    return line


@pytest.mark.slow
def test_every_line_and_cell_does_what_the_tutorial_says(folder, lmedge_here, monkeypatch):
    monkeypatch.chdir(folder)
    assert all(any(said in line for line in LINES) for said in SMALLER), "a number is not in the tutorial any more"
    left = dict(LEAVES)
    for line in LINES:
        command = shlex.split(smaller(line))
        assert command[0] == "lmedge", line
        wanted = next((file for words, file in left.items() if line.startswith(f"lmedge {words}")), None)
        assert wanted is None or not Path(wanted).exists() or "report" in wanted, f"{wanted} was there before {line}"
        if command[1] in ("serve", "web-export") and not has_litert_js():
            left.pop("web-export", None)
            continue
        if command[1] == "serve":
            look_at_the_page(command)
            continue
        done = lmedge_here(*command[1:])
        assert done.returncode == 0, line + done.stdout + done.stderr
        if wanted:
            assert Path(wanted).exists(), line
            left = {words: file for words, file in left.items() if file != wanted}
    assert left == {}
    look_into_the_notebook()


def has_litert_js():
    """Is LiteRT.js there, or can it be fetched?"""
    try:
        return bool(litert_js())
    except LmedgeError:
        return False


def look_at_the_page(command):
    """Opens what `serve` says, and stops it as a user does."""
    with subprocess.Popen([sys.executable, "-m", *command], stdout=subprocess.PIPE, text=True) as serving:
        url = re.search(r"http://\S+?:\d+", serving.stdout.readline())[0]
        assert b"<html" in urllib.request.urlopen(url, timeout=20).read()
        serving.send_signal(signal.SIGINT)
        assert serving.wait(timeout=20) == 130


def look_into_the_notebook():
    """Runs its cells where the lines of the tutorial have left their work, which they go on from."""
    mpl.use("Agg")
    cells = json.loads((DOCS / "tutorial.ipynb").read_text())["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    assert all(any(said in cell for cell in code) for said in SMALLER_CELLS)
    names = {}
    for cell in code:
        exec(smaller(cell, SMALLER_CELLS), names)
    assert names["faces"].images.shape == (16, 32, 32, 3) and len(names["latents"]) == len(FOUND_LOOKS)
    assert len(names["log"]) == 5 and names["faces"]._repr_png_()
