"""The sdist and the wheel, installed where nothing of the clone is in reach."""

import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
pytestmark = pytest.mark.slow
NOT_COPIED = (".git", ".venv*", "build", "dist", "*.egg-info", "__pycache__", ".*_cache", "android_demo", "docs")
# What stands in an sdist beside the packages.
ABOUT = {"LICENSE", "MANIFEST.in", "PKG-INFO", "README.md", "pyproject.toml", "setup.cfg"}


def run(*command, **kwargs):
    """What a command printed; fails with it."""
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False, timeout=120, **kwargs)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def without_clone(**more):
    """The environment of a process that imports nothing from here but what `more` says."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | more


@pytest.fixture(scope="module")
def distributions(tmp_path_factory):
    """The sdist and the wheel, which `build` makes from the sdist."""
    for tool in ("build", "twine"):
        if not importlib.util.find_spec(tool):
            pytest.skip(f"{tool} is not installed; scripts/test installs it")
    folder = tmp_path_factory.mktemp("package")
    # The environment's own setuptools is kept old by what needs its pkg_resources.
    get = [sys.executable, "-m", "pip", "install", "--quiet", "--target", folder / "tools", "setuptools>=77"]
    if subprocess.run(get, capture_output=True, check=False).returncode:
        pytest.skip("setuptools >= 77 cannot be fetched")
    shutil.copytree(ROOT, folder / "clone", ignore=shutil.ignore_patterns(*NOT_COPIED))
    path = os.pathsep.join((str(folder / "tools"), os.environ.get("PYTHONPATH", "")))
    build = (sys.executable, "-m", "build", "--no-isolation", "--outdir", folder / "dist", folder / "clone")
    run(*build, cwd=folder, env=without_clone(PYTHONPATH=path))
    (sdist,) = (folder / "dist").glob("*.tar.gz")
    (wheel,) = (folder / "dist").glob("*.whl")
    return sdist, wheel


@pytest.fixture(scope="module")
def installed(distributions, tmp_path_factory):
    """An environment with the wheel. What lmedge depends on is this environment's."""
    folder = tmp_path_factory.mktemp("elsewhere")
    run(sys.executable, "-m", "venv", "--without-pip", folder / "env")
    python = folder / "env" / "bin" / "python"
    pip = (sys.executable, "-m", "pip", "--python", python)
    run(*pip, "install", "--no-deps", "--no-index", distributions[1], cwd=folder, env=without_clone())
    (packages,) = (folder / "env" / "lib").glob("*/site-packages")
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    return folder


def members(archive):
    """The files in an archive."""
    if archive.suffix == ".whl":
        return {name for name in zipfile.ZipFile(archive).namelist() if ".dist-info/" not in name}
    with tarfile.open(archive) as file:
        names = {member.name.split("/", 1)[1] for member in file if member.isfile()}
    return {name for name in names if ".egg-info/" not in name}


def test_the_sdist_and_the_wheel_hold_the_packages_and_nothing_else(distributions):
    sdist, wheel = map(members, distributions)
    paths = [path for package in ("lmedge", "convert") for path in ROOT.glob(f"{package}/**/*") if path.is_file()]
    files = {path.relative_to(ROOT).as_posix() for path in paths if "__pycache__" not in path.parts}
    assert wheel == files
    assert sdist == files | ABOUT


def test_an_index_would_take_them(distributions):
    run(sys.executable, "-m", "twine", "check", "--strict", *distributions)


def test_the_wheel_draws_faces(installed):
    lmedge = installed / "env" / "bin" / "lmedge"
    told = run(lmedge, "sample", "--count", "2", "--out", "faces", cwd=installed, env=without_clone())
    assert told.startswith("2 faces in faces")
    for i in range(2):
        with Image.open(installed / "faces" / f"face-0000{i}.png") as face:
            assert face.size == (64, 64)
    code = "import lmedge, convert; print(lmedge.__file__, convert.__file__)"
    where = run(installed / "env" / "bin" / "python", "-c", code, cwd=installed, env=without_clone())
    assert all(Path(file).is_relative_to(installed / "env") for file in where.split())


def test_what_an_installed_wheel_advises_works(installed, distributions):
    code = "from lmedge.installation import install; print(install('litert', 'datasets'))"
    advice = run(installed / "env" / "bin" / "python", "-c", code, cwd=installed, env=without_clone())
    command = shlex.split(advice)
    assert command[:2] == ["pip", "install"] and command[-1] == f"{distributions[1]}[litert,datasets]"
    pip = (sys.executable, "-m", "pip", "--python", installed / "env" / "bin" / "python")
    told = run(*pip, *command[1:], "--no-index", "--no-deps", "--force-reinstall", "--dry-run", cwd=installed)
    assert re.search(r"Would install lmedge-\d", told)
