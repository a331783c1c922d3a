import io
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from lmedge.devices.check import Agreement, Row, between, check, every_device, table
from lmedge.devices.device import Outcome, Unavailable
from lmedge.devices.emulated import PROCESSORS, Emulated, _unpack
from lmedge.devices.micro import smallest
from lmedge.devices.native import Native
from lmedge.latent import uniform
from lmedge.runtime import Bundle, FaceSampler

MICRO, BROWSER = every_device()[-2:]


@pytest.mark.parametrize("device", every_device()[1:], ids=lambda device: device.name)
def test_every_device_draws_the_same_faces(every_variant, device):
    """The short form of scripts/check_devices: a latent a device."""
    found = check(Bundle.open(every_variant), [Native("litert"), device], 1)
    if device.name in found.skipped:
        pytest.skip(f"{device.name}: {found.skipped[device.name]}")
    rows = {row.variant: row for row in found.rows if row.device == device.name}
    assert set(rows) == {"fp32", "fp16", "dynamic", "int8", "int8-io", "int8-qat"}
    assert all(row.good for row in rows.values()), rows
    refused = {name for name, row in rows.items() if not row.runs}
    if device.name == MICRO.name:
        assert refused == set(rows) - {"int8-io"} and "arena" in rows["int8-io"].note
    else:
        assert refused == ({"int8-io"} if device.name == BROWSER.name else set())
    assert all(rows[name].note for name in refused)


@pytest.mark.parametrize("kind", PROCESSORS)
def test_the_command_line_runs_on_an_emulated_board(kind, tmp_path):
    board = Emulated(kind)
    try:
        python = board.python()
    except Unavailable as reason:
        pytest.skip(f"{board.name}: {reason}")
    command = [*python, "-m", "lmedge", "sample", "--count", "1", "--seed", "3", "--out", str(tmp_path / "out")]
    done = subprocess.run(command, env=board.environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "(fp32 on tflite)" in done.stdout
    with Image.open(tmp_path / "out" / "face-00000.png") as picture:
        drawn = np.asarray(picture).astype(int)
    sampler = FaceSampler(variant="fp32")
    faces = sampler.sample(64, 3)
    first = np.flatnonzero(faces.confidence >= sampler.clean.min_confidence)[0]
    assert np.abs(drawn - faces.images[first]).max() <= 1


@pytest.fixture
def fake_apt(tmp_path, monkeypatch):
    """Writes an apt-get that notes how it is called in `asked` and then does as told."""
    asked = tmp_path / "asked"

    def install(update: str, download: str) -> Path:
        for tool in ("apt-get", "dpkg-deb"):
            (tmp_path / tool).write_text(
                f'#!/bin/sh\necho "$0 $@" >> {asked}\ncase "$*" in *update) {update};; *-only*) {download};; esac\n'
            )
            (tmp_path / tool).chmod(0o755)
        return asked

    monkeypatch.setenv("PATH", str(tmp_path))
    return install


def test_apt_is_asked_by_name_for_another_processor_from_its_own_sources(tmp_path, fake_apt):
    asked = fake_apt("echo 'E: a mirror is being written' >&2; exit 100", ":")
    _unpack("armhf", ("python3.11-minimal",), tmp_path / "root")  # what was not there was not needed
    update, install = asked.read_text().splitlines()
    assert update.endswith(" update") and install.endswith(" python3.11-minimal")
    assert "APT::Architecture=armhf" in install and "sourcelist" not in update and "sourceparts" not in update


def test_what_apt_says_is_passed_on(tmp_path, fake_apt):
    with pytest.raises(Unavailable, match="apt-get is not here"):
        _unpack("armhf", (), tmp_path / "0")
    lacks = "echo 'E: Unable to locate package x\nE: y' >&2; exit 100"
    fake_apt(":", lacks)
    with pytest.raises(Unavailable, match="apt-get failed: E: Unable to locate package x .apt's sources must have Deb"):
        _unpack("armhf", ("x",), tmp_path / "1")
    fake_apt("echo 'E: no network' >&2; exit 100", lacks)
    with pytest.raises(Unavailable, match="apt-get failed: E: no network"):
        _unpack("armhf", ("x",), tmp_path / "2")


class Made:
    """A device that gives what it is told to."""

    def __init__(self, name, outcomes):
        self.name, self.made = name, outcomes

    def outcomes(self, models, latents):
        if isinstance(self.made, str):
            raise Unavailable(self.made)
        return self.made


def test_a_device_that_draws_other_faces_is_found(bundle):
    faces = FaceSampler(bundle, "fp32").render(uniform(2, 8, 0))
    images = faces.images.copy()
    images[1, 3, 4, 0] ^= 32
    moved = faces.landmarks + np.float32(0.32)  # 1 % of the width of 32 pixels
    unsure = faces.point_confidence - 0.11 * (np.arange(49) == 7)
    devices = [
        Made("first", {"fp32": Outcome(faces), "int8": Outcome(faces)}),
        Made("same", {"fp32": Outcome(faces), "int8": Outcome(None, "takes fp32 only")}),
        Made("pixel", {"fp32": Outcome(replace(faces, images=images)), "int8": Outcome(faces)}),
        Made("points", {"int8": Outcome(replace(faces, landmarks=moved))}),
        Made("unsure", {"int8": Outcome(replace(faces, point_confidence=unsure))}),
        Made("silent", {"int8": Outcome(replace(faces, point_confidence=None))}),
        Made("absent", "it is at the shop"),
    ]
    found = check(Bundle.open(bundle), devices, 2)
    assert found.skipped == {"absent": "it is at the shop"}
    assert [(row.device, row.variant) for row in found.rows if not row.good] == [
        ("pixel", "fp32"), ("points", "int8"), ("unsure", "int8"),
    ]  # fmt: skip
    assert [row.runs for row in found.rows if row.device == "same"] == [True, False]
    first, same = found.rows[0], found.rows[2]
    assert first.agreement is None and same.agreement == Agreement(0, 0.0) and same.parity.image_psnr == 99
    written = io.StringIO()
    Console(width=200, file=written).print(table(found))
    text = written.getvalue()
    assert "32 levels, landmarks exact" in text and "takes fp32 only" in text and "is the first" in text


@pytest.mark.parametrize(
    ("variant", "levels", "landmarks", "good"),
    [("fp32", 1, 9e-6, True), ("fp16", 2, 0, False), ("fp32", 0, 2e-5, False), ("int8", 64, 4e-3, True),
     ("int8", 65, 0, False), ("int8-io", 0, 6e-3, False)],
)  # fmt: skip
def test_limits(variant, levels, landmarks, good):
    assert Row("board", variant, True, None, Agreement(levels, landmarks), "").good is good


def test_the_difference_is_the_largest_one(bundle):
    faces = FaceSampler(bundle, "fp32").render(uniform(2, 8, 0))
    images, marks = faces.images.copy(), faces.landmarks.copy()
    images[0, 0, 0, 0] = 255 - images[0, 0, 0, 0]
    marks[1, 5, 1] += 3.2
    found = between(replace(faces, images=images, landmarks=marks), faces)
    assert found.levels == abs(255 - 2 * int(faces.images[0, 0, 0, 0])) and found.landmarks == pytest.approx(0.1)


@pytest.mark.parametrize("needed", [1, 4096, 4097, 100_000, 3_000_001])
def test_the_smallest_arena(needed):
    tried = []

    def works(arena):
        tried.append(arena)
        return arena >= needed

    found = smallest(works)
    assert found >= needed and found - needed < 256 and found % 256 == 0 and len(tried) < 30


def test_no_arena_is_large_enough():
    assert smallest(lambda _: False) is None
