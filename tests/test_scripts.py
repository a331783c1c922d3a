"""Scripts are started by whatever Python is there; what they need is in the environment that setup.sh makes."""

import ast
import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS = ROOT / "scripts"
EVERY = sorted(path for path in SCRIPTS.iterdir() if path.is_file() and os.access(path, os.X_OK))
IN_PYTHON = [path for path in EVERY if "python" in path.read_text().splitlines()[0]]


def outside(tmp_path, command, **variables):
    """Runs a command outside of the environment, where nothing but Python's own library can be imported."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "LMEDGE"))}
    variables = {"LMEDGE_VENV": str(tmp_path / "venv")} | variables
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, env=kept | variables)


def bare(script):
    """A command: the script in a Python without packages."""
    return [sys._base_executable, "-S", script] if script in IN_PYTHON else [script]


MODULES = sorted(SCRIPTS.glob("*.py"))


def ids(paths):
    return {"argvalues": paths, "ids": [path.name for path in paths]}


def test_there_are_scripts_of_both_kinds():
    assert len(IN_PYTHON) >= 12 and len(EVERY) - len(IN_PYTHON) >= 5


@pytest.mark.parametrize("script", **ids(EVERY))
def test_help_needs_no_environment(tmp_path, script):
    done = outside(tmp_path, [*bare(script), "--help"])
    assert done.returncode == 0 and done.stderr == ""
    assert f"scripts/{script.name}" in done.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("script", **ids(IN_PYTHON))
def test_without_an_environment_a_script_says_what_to_run(tmp_path, script):
    done = outside(tmp_path, bare(script))
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.startswith(f"{script.name}: ") and done.stderr.count("\n") == 1
    assert f"run {SCRIPTS / 'setup.sh'}" in done.stderr and str(tmp_path / "venv") in done.stderr


@pytest.mark.parametrize("script", **ids([*IN_PYTHON, *MODULES]))
def test_what_a_script_imports_of_the_project_is_there(script):
    for node in ast.walk(ast.parse(script.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in ("lmedge", "convert"):
            module = importlib.import_module(node.module)
            for name in (name.name for name in node.names if not hasattr(module, name.name)):
                assert hasattr(module, "__path__") and importlib.util.find_spec(f"{node.module}.{name}"), name


def test_a_script_begins_again_in_the_environment(tmp_path):
    python = tmp_path / "venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\nprintf "%s\\n" "$0" "$@"\n')
    python.chmod(0o755)
    done = outside(tmp_path, [*bare(SCRIPTS / "check_steering"), "out file.json"])
    assert done.stdout.splitlines() == [str(python), str(SCRIPTS / "check_steering"), "out file.json"]
    assert done.returncode == 0, done.stderr


def test_an_environment_that_lacks_something_is_not_begun_again_for_ever(tmp_path):
    subprocess.run([sys._base_executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    done = outside(tmp_path, [tmp_path / "venv" / "bin" / "python", SCRIPTS / "check_steering", "out.json"])
    assert done.returncode == 1 and "lacks it; run" in done.stderr and done.stderr.count("\n") == 1


def test_where_everything_is_there_a_script_stays_in_its_python(tmp_path):
    done = outside(tmp_path, [sys.executable, "-c", "import environment; environment.enter(''); import lmedge"],
                   PYTHONPATH=str(SCRIPTS))  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_no_code_carries_the_address_of_a_package_index():
    """Packages are taken by name through npm, Maven, apt and pip, which know their index, mirrors and proxies."""
    address = re.compile(r"https?://[\w./-]*(?:maven|npm|pypi|pythonhosted|debian|registry)", re.IGNORECASE)
    kinds = {".py", ".sh", ".js", ".kts", ".toml", ".txt", ".sha256", ""}
    sources = [ROOT / "pyproject.toml", ROOT / "constraints.txt", ROOT / ".ci" / "run"]
    for folder in ("lmedge", "convert", "scripts", "android_demo", "tests"):
        sources += [path for path in (ROOT / folder).rglob("*") if path.is_file() and path.suffix in kinds]
    assert address.search("https" + "://repo.example/maven2") and len(sources) > 200
    assert [path for path in sources if "__pycache__" not in path.parts and address.search(path.read_text())] == []
