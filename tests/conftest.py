"""Small real data for all tests: drawn faces, a run trained for a few steps, and its bundle."""

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lmedge.quiet import keep_quiet

keep_quiet()

import numpy as np
import pytest
from PIL import Image

from convert.options import ExportConfig
from lmedge.cli import main
from lmedge.faces.cartoon import draw_face
from lmedge.faces.look import random_look
from lmedge.faces.options import ToyConfig
from lmedge.gan import families
from lmedge.gan.families.began.options import BeganConfig
from lmedge.inversion.options import InvertConfig
from lmedge.lgen.options import TrainLgenConfig

REAL_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
# Looks that the Haar cascades and Face Mesh both find.
FOUND_LOOKS = (37, 27, 55, 45, 10, 17, 15, 54, 44, 14)
TINY = {"preset": "toy32", "width": 4, "latent": 8, "batch": 4, "precision": "float32"}


# Tests of a minute and more begin first, so that no process is left with one at the end.
LONGEST = ("test_demo", "test_kill", "test_evaluation", "gan/test_train", "gan/test_devices", "test_study")


def pytest_addoption(parser):
    """`--fast` leaves out what needs TensorFlow, and what is marked as slow."""
    parser.addoption("--fast", action="store_true", help="only what takes no time: without TensorFlow")


class _NoTensorflow:
    """A finder of modules that ends whoever imports TensorFlow: the test is skipped, or all of a file."""

    def find_spec(self, fullname, path, target=None):
        if fullname == "tensorflow":
            pytest.skip("needs TensorFlow", allow_module_level=True)


def pytest_configure(config):
    """Keeps TensorFlow out of the fast tests."""
    if config.getoption("--fast"):
        sys.meta_path.insert(0, _NoTensorflow())


def pytest_collection_modifyitems(config, items):
    """Sorts the longest to the front, and those with a browser to the end: its driver is a child of this process, and
    other tests count or kill all of these. The others stay as they are."""
    items.sort(key=lambda item: (
        "browser" in item.fixturenames, not any(name in str(item.path) for name in LONGEST)
    ))  # fmt: skip
    if config.getoption("--fast"):
        for item in items:
            if item.get_closest_marker("slow"):
                item.add_marker(pytest.mark.skip("slow"))


def drawn_photo(look: int, size: int = 256) -> np.ndarray:
    """A drawn face as a photo `[size, size, 3]`."""
    return draw_face(random_look(np.random.default_rng((0, look))), size)[0]


@pytest.fixture(scope="session")
def once(tmp_path_factory, worker_id):
    """`once(name, make)` -> a folder that `make(folder)` fills, one for all test processes: the first one makes it, the
    others wait."""
    base = tmp_path_factory.getbasetemp()
    shared = (base if worker_id == "master" else base.parent) / "shared"
    shared.mkdir(exist_ok=True)

    def made(name, make):
        with (shared / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            folder, whole = shared / name, shared / f"{name}.whole"
            if not whole.exists():
                shutil.rmtree(folder, ignore_errors=True)
                make(folder)
                whole.touch()
        return folder

    return made


@pytest.fixture(scope="session")
def photos(tmp_path_factory):
    """A folder of ten drawn photos in two subfolders."""
    folder = tmp_path_factory.mktemp("photos")
    for i, look in enumerate(FOUND_LOOKS):
        path = folder / "ab"[i % 2] / f"{look:02}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(drawn_photo(look)).save(path)
    return folder


@pytest.fixture(scope="session")
def toys(once):
    """A dataset of 48 drawn faces of 32 pixels. Tests must not change it."""
    from lmedge.faces.toy import toy

    return once("toys", lambda out: toy(ToyConfig(out=out, count=48, workers=1)))


def reordered(dataset: Path, out: Path) -> Path:
    """The same faces in another order: of the same number, size and scheme, and another dataset."""
    import tensorflow as tf

    from lmedge.faces.records import FaceDataset

    shutil.copytree(dataset, out)
    whole = FaceDataset(dataset)
    with tf.io.TFRecordWriter(str(out / whole.shards[0].name)) as writer:
        for example in whole.serialized(range(len(whole))[::-1]):
            writer.write(example)
    return out


def tiny_training(toys: Path, run: Path, steps: int = 6, **options) -> BeganConfig:
    """A training of seconds; lengths in steps of 4 faces."""
    options = {"checkpoint_every": 3, "log_every": 100, "sample_every": 500, "judge_every": 500, **options}
    for name in ("checkpoint_every", "log_every", "sample_every", "judge_every", "patience"):
        if name in options:
            options[name] *= TINY["batch"] / 1000
    return BeganConfig(dataset=toys, run=run, kimg=steps * TINY["batch"] / 1000, **{**TINY, **options})


@pytest.fixture(scope="session")
def shown_faces(once):
    """A dataset with attributes, see tests/showing.py. Tests must not change it."""
    from tests.showing import write_faces

    return once("shown-faces", write_faces)


@pytest.fixture(scope="session")
def attribute_network(once, shown_faces):
    """A network of its attributes. Tests must not change it."""
    from lmedge.attributes.options import TrainAttributesConfig
    from lmedge.attributes.train import train_attributes

    options = {"faces": shown_faces, "epochs": 12, "batch": 16, "held_out": 0.2}
    return once("attribute-network", lambda out: train_attributes(TrainAttributesConfig(out=out, **options)))


@pytest.fixture(scope="session")
def trained(once, toys):
    """A run with a generator, latents and an L-Gen. Tests must not change it."""
    from lmedge.gan.train import train_gan
    from lmedge.inversion.invert import invert
    from lmedge.lgen.train import train_lgen

    def make(run):
        train_gan(tiny_training(toys, run, log_every=2, sample_every=6))
        invert(InvertConfig(run=run, faces=toys, start="encoder", steps=2, batch=16, encoder_steps=3))
        train_lgen(TrainLgenConfig(run=run, data="inverted", steps=40, hidden=(8,)))

    return once("tiny", make)


@pytest.fixture(scope="session")
def bundle(once, trained):
    """The bundle of the tiny run. Tests must not change it."""
    from convert.stage import export_run

    options = {"run": trained, "variants": ("fp32", "int8"), "calibration": 16}
    return once("bundle", lambda out: export_run(ExportConfig(out=out, **options)))


@pytest.fixture(scope="session")
def every_variant(once, trained):
    """A bundle of the tiny run with every variant. Tests must not change it."""
    from convert.stage import export_run

    options = {"run": trained, "calibration": 16, "qat_steps": 30, "max_landmark_error": 0.1, "c_array": True}
    return once("every", lambda out: export_run(ExportConfig(out=out, **options)))


@pytest.fixture(scope="session")
def asked_bundle(once):
    """A bundle whose latents have a block of shapes, see tests/at_its_word.py. Tests must not change it."""
    from convert import export
    from lmedge.provenance import Provenance
    from lmedge.scheme import IBUG49
    from tests.at_its_word import LATENT, networks

    about = {"scheme": IBUG49, "latent": LATENT, "provenance": Provenance("drawn", "1"), "calibration": 8}
    return once("at-its-word", lambda out: export(*networks(), ("fp32",), out=out, **about))


@pytest.fixture
def lmedge():
    """Runs a command line in a process of its own: `lmedge("sample", ...)` -> CompletedProcess."""

    def call(*args: object, **kwargs) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "lmedge", *map(str, args)]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300, **kwargs)

    return call


@contextmanager
def somebody() -> Iterator[None]:
    """As a user whom permissions hold back, unlike root."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(before)


@pytest.fixture
def lmedge_here(capsys):
    """`lmedge` in this process, for what a process of its own adds nothing to: it saves importing TensorFlow."""

    def call(*args: object) -> subprocess.CompletedProcess[str]:
        capsys.readouterr()
        code = main([str(arg) for arg in args])
        said = capsys.readouterr()
        return subprocess.CompletedProcess(args, code, said.out, said.err)

    return call


@pytest.fixture
def second_family(monkeypatch):
    """From now on there is a second family of generators."""
    from tests.second_family import SecondFamily

    monkeypatch.setitem(families.FAMILIES, SecondFamily.name, SecondFamily())


@contextmanager
def file_system(folder: Path, options: str) -> Iterator[Path]:
    """A file system of its own in `folder`; skips the test where mounting is not allowed."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", options, "lmedge-test", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a tmpfs needs root")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 1 MiB."""
    with file_system(tmp_path / "disk", "size=1m") as folder:
        yield folder


@pytest.fixture
def read_only_disk(tmp_path):
    """A file system that nobody may write."""
    with file_system(tmp_path / "disk", "ro") as folder:
        yield folder


@pytest.fixture(scope="session")
def browser():
    """Headless Chromium; one for all tests of a process, as Playwright takes no second one."""
    from lmedge.devices.browser import chromium
    from lmedge.devices.device import Unavailable

    try:
        path = chromium()
    except Unavailable as reason:
        pytest.skip(str(reason))
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield started
        started.close()
