"""What CONTRIBUTING says of additions: what stands there is put where it says, and run."""

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import FOUND_LOOKS, drawn_photo

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def added(tmp_path):
    """`added("an annotator", *words)`: follows a section in a copy of lmedge, then runs `lmedge` there."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    shutil.copytree(ROOT / "convert", tmp_path / "convert")
    shutil.copytree(ROOT / "lmedge", tmp_path / "lmedge", ignore=lambda _, names: {"pretrained"} & {*names})
    (tmp_path / "lmedge" / "pretrained").symlink_to(ROOT / "lmedge" / "pretrained")

    def run(what, *words):
        section = text.split(f"## Add {what}")[1].split("\n## ")[0]
        file, place = re.findall(r"`(lmedge/[\w/]+\.py)`", section)
        (code,) = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
        assert not (tmp_path / file).exists()
        (tmp_path / file).write_text(code, encoding="utf-8")
        ((line, table),) = re.findall(r"`([^`]+,)`, in (?:`(\w+)` of|the list of) `lmedge", section)
        before, head, rest = re.split(rf"(\n{table} = \w*[\[{{]|\nfor _file in \()",
                                      (tmp_path / place).read_text(encoding="utf-8"), maxsplit=1)  # fmt: skip
        (tmp_path / place).write_text(before + head + line + rest, encoding="utf-8")
        command = [sys.executable, "-m", "lmedge", *map(str, words)]
        done = subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, check=False, env=os.environ | {"PYTHONPATH": ""}
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.mark.slow
def test_the_annotator_of_the_page_annotates(added, tmp_path):
    (tmp_path / "photos").mkdir()
    for look in FOUND_LOOKS[:2]:
        Image.fromarray(drawn_photo(look)).save(tmp_path / "photos" / f"{look}.png")
    added("an annotator", "prepare", "photos", "--annotator", "centred", "--out", "faces", "--workers", 1)
    about = json.loads((tmp_path / "faces" / "dataset.json").read_text())
    assert about["count"] == 2 and about["provenance"]["annotator"] == "centred"


@pytest.mark.slow
def test_the_format_of_the_page_is_written(added, tmp_path):
    if importlib.util.find_spec("fpng") is None:
        pytest.skip("fpng is not installed")
    added("a format", "synthesize", "--format", "arrays", "--count", 3, "--out", "set", "--workers", 1)
    points = [np.load(tmp_path / "set" / f"{face:06}.npy") for face in range(3)]
    assert np.shape(points) == (3, 49, 2) and 0 < np.min(points) < np.max(points) < 64
    assert {path.suffix for path in (tmp_path / "set").glob("0*")} == {".npy", ".png"}


@pytest.mark.slow
def test_the_verb_of_the_page_runs(added, tmp_path):
    (tmp_path / "faces").mkdir()
    (tmp_path / "faces" / "one").touch()
    assert added("a verb", "tally", "faces") == "1\n"
