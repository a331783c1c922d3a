import dataclasses
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import lmedge
from lmedge.cli import main
from lmedge.command_line import parse
from lmedge.config import (
    STAGES,
    ExportConfig,
    PrepareConfig,
    TrainBeganConfig,
    from_json,
    require,
    require_size,
    to_json,
)
from lmedge.errors import UsageError

ARGS = {
    "toy": ["--out", "a"],
    "prepare": ["p", "q", "--out", "a"],
    "train-began": ["d", "--run", "r"],
    "invert": ["r", "d"],
    "train-lgen": ["r", "--hidden", "8", "4"],
    "evaluate": ["r"],
    "report": ["r"],
    "export": ["r", "--out", "b", "--variants", "int8"],
    "sample": ["b", "--out", "a"],
    "interpolate": ["b", "--out", "a.png"],
    "synthesize": ["b", "--out", "a", "--yaw", "10", "20", "--around", "p"],
    "serve": ["b", "--port", "0"],
    "web-export": ["b", "--out", "a", "--variant", "int8"],
    "study": ["d", "--test", "t", "--out", "a", "--amounts", "10", "0"],
    "bench": ["b", "--threads", "1", "4", "--out", "perf.json"],
    "info": ["b"],
    "doctor": [],
    "demo": [],
}


@pytest.mark.parametrize("verb", STAGES)
def test_command_line_and_json_give_the_same_options(verb):
    config = parse(STAGES[verb], verb, ARGS[verb])
    assert from_json(STAGES[verb], to_json(config), Path("o.json")) == config


def test_dry_run_and_debug_are_not_results():
    assert not {"dry_run", "debug"} & set(to_json(ExportConfig(run=Path("r"), out=Path("o"), debug=True)))


def test_an_unknown_option_in_json_is_refused():
    with pytest.raises(UsageError, match=r"^run/config.json: there is no option 'colour' in PrepareConfig"):
        from_json(PrepareConfig, {"colour": 1}, Path("run/config.json"))


@pytest.mark.parametrize("verb", STAGES)
def test_every_option_has_a_reader(verb):
    package = Path(lmedge.__file__).parent
    files = [*package.rglob("*.py"), *(package.parent / "convert").rglob("*.py")]
    source = "\n".join(path.read_text() for path in files if path.name != "config.py")
    for field in dataclasses.fields(STAGES[verb]):
        assert f"config.{field.name}" in source or field.name == "debug", field.name


@pytest.mark.parametrize("verb", STAGES)
def test_help_explains_every_option(verb, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    assert main([verb, "--help"]) == 0
    helptext = capsys.readouterr().out
    source = inspect.getsource(STAGES[verb])
    for field in dataclasses.fields(STAGES[verb]):
        if f"    {field.name}: " in source:
            explained = source.split(f"    {field.name}: ", 1)[1].split('"""')[1]
            first = " ".join(explained.split()[:3])
            assert first in " ".join(helptext.replace("│", " ").split()), field.name


def test_numbers_out_of_range_name_their_option():
    with pytest.raises(UsageError, match=r"--steps must be at least 1, not 0\."):
        require("--steps", 0, 1)
    with pytest.raises(UsageError, match="--gamma must be between 0 and 1, not nan"):
        require("--gamma", float("nan"), 0, 1)
    with pytest.raises(UsageError, match="not 50"):
        require_size(50)


def test_options_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        TrainBeganConfig(dataset=Path("d"), run=Path("r")).kimg = 3  # type: ignore[misc]


def test_version_is_the_package_s():
    done = subprocess.run(
        [Path(sys.executable).parent / "lmedge", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"lmedge {lmedge.__version__}\n"
