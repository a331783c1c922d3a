import dataclasses
import inspect
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import get_type_hints

import pytest
from tyro.conf import Positional

import lmedge
from convert.options import ExportConfig
from lmedge.bench.options import BenchConfig
from lmedge.bounds import require, require_size
from lmedge.cli import main
from lmedge.command_line import parse
from lmedge.demo.options import DemoConfig
from lmedge.errors import UsageError
from lmedge.faces.options import PrepareConfig, ToyConfig
from lmedge.gan.families.began.options import BeganConfig
from lmedge.options import Stage, bare_type, from_json, is_required, to_json
from lmedge.runtime.options import SampleConfig
from lmedge.verbs import VERBS
from tests.readers import unread

# What a command line begins with -> the class of its options: `train-gan --family began`.
STAGES = {(name, *words): kind for name, verb in VERBS.items() for words, kind in verb.kinds().items()}
ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "how-to" / "datasets.md"

ARGS = {
    "toy": ["--out", "a"],
    "prepare": ["p", "q", "--out", "a"],
    "add-attributes": ["d", "list.csv", "--out", "a"],
    "train-attributes": ["d", "--out", "a", "--attributes", "Smiling"],
    "train-gan": ["d", "--run", "r"],
    "invert": ["r", "d"],
    "invert-photo": ["r", "me.jpg"],
    "check-inversion": ["r"],
    "edit": ["r", "me.jpg", "--out", "a.png", "--set", "Young=-1"],
    "label": ["r", "--out", "a", "--port", "0"],
    "train-lgen": ["r", "--hidden", "8", "4"],
    "evaluate": ["r"],
    "report": ["r"],
    "export": ["r", "--out", "b", "--variants", "int8"],
    "sample": ["b", "--out", "a"],
    "interpolate": ["b", "--out", "a.png"],
    "synthesize": ["b", "--out", "a", "--yaw", "10", "20", "--around", "p"],
    "serve": ["b", "--port", "0"],
    "web-export": ["b", "--out", "a", "--variant", "int8"],
    "study": ["d", "--test", "t", "--out", "a", "--amounts", "10", "0", "--arms", "real", "real+smart"],
    "train-detector": ["r", "--out", "a", "--real", "p", "--synthetic-share", "0.3"],
    "detect": ["d", "photos", "--out", "a", "--format", "csv", "--frames", "3"],
    "bench": ["b", "--threads", "1", "1", "--out", "perf.json"],
    "info": ["b"],
    "doctor": [],
    "completion": ["bash"],
    "demo": [],
}


each_stage = pytest.mark.parametrize(("called", "kind"), STAGES.items(), ids=map(" ".join, STAGES))


@each_stage
def test_command_line_and_json_give_the_same_options(called, kind):
    verb, *words = called
    config = parse(kind, verb, [*ARGS[verb], *words])
    assert from_json(kind, to_json(config), Path("o.json")) == config


def test_dry_run_and_debug_are_not_results():
    assert not {"dry_run", "debug"} & set(to_json(ExportConfig(run=Path("r"), out=Path("o"), debug=True)))


def test_an_unknown_option_in_json_is_refused():
    with pytest.raises(UsageError, match=r"^run/config.json: there is no option 'colour' in this version"):
        from_json(PrepareConfig, {"colour": 1}, Path("run/config.json"))


@each_stage
def test_every_option_has_a_reader(called, kind):
    """In the files that the verb imports; dry_run and debug are the command line's, which other tests see."""
    assert unread(kind, VERBS[called[0]].run.__module__) == []


@each_stage
def test_help_explains_every_option(called, kind, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    assert main([*called, "--help"]) == 0
    helptext = " ".join(capsys.readouterr().out.replace("│", " ").split())
    sources = [inspect.getsource(owner) for owner in kind.__mro__ if issubclass(owner, Stage)]  # its own goes first
    hints = get_type_hints(kind, include_extras=True)
    for field in dataclasses.fields(kind):
        source = next(source for source in sources if f"    {field.name}: " in source)
        explained = source.split(f"    {field.name}: ", 1)[1].split('"""')[1]
        named = "" if Positional in getattr(hints[field.name], "__metadata__", ()) else written(field.name)
        assert named in helptext and " ".join(explained.split()[:3]) in helptext, field.name


def written(name):
    return "--" + name.replace("_", "-")


def numbers_of(kind):
    """The options of a verb that are numbers, or several: name -> (whole?, how many)."""
    found = {}
    for name, hint in get_type_hints(kind).items():
        text = str(hint)
        if hint is not bool and re.search(r"\b(int|float)\b", text):
            found[name] = "int" in text, 2 if "float, float" in text else 1 if "tuple" in text else 0
    return found


@each_stage
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 1e30, -1e30, 2**64, -(2**64), -91, "3"])
def test_no_option_of_any_verb_takes_an_absurd_number(called, kind, value):
    needed = {f.name: Path("x") for f in dataclasses.fields(kind) if f.default is dataclasses.MISSING}
    if "photos" in needed:
        needed["photos"] = (Path("x"),)
    for name, (_, several) in numbers_of(kind).items():
        absurd = (value,) * several if several else value
        option = written(name)
        with pytest.raises(UsageError) as refusal:
            kind(**needed, **{name: absurd})
        sentence = str(refusal.value)
        quoted = repr(value) if isinstance(value, str) else str(value) if isinstance(value, int) else f"{value:g}"
        assert sentence.startswith(f"{option} must be ") and sentence.endswith(f", not {quoted}."), sentence
        assert re.search(r" be (between .* and |at least |\d+, .* or |a whole number)", sentence), sentence


@each_stage
def test_the_command_line_refuses_them_too_and_starts_nothing(called, kind, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    verb, *words = called
    for name, (whole, several) in numbers_of(kind).items():
        option = written(name)
        value = str(2**64) if whole else "inf"
        assert main([verb, *ARGS[verb], *words, option, *[value] * max(several, 1)]) == 2
        said = capsys.readouterr().err
        assert said.startswith(f"lmedge: {option} must be ") and f", not {value}." in said, said
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("kind", "options", "sentence"),
    [
        (SampleConfig, {"threads": 40_000}, r"--threads .* 0 and \d+ \(the cores of this machine\), not 40000\."),
        (BenchConfig, {"threads": (1, 500)}, r"--threads .* 1 and \d+ \(the cores of this machine\), not 500\."),
        (ToyConfig, {"workers": 200}, r"--workers must be between 0 and \d+ \(4 a core\), not 200\."),
        (SampleConfig, {"seed": 2**64}, r"--seed must be between 0 and 18446744073709551615, not 1844674407370955161."),
        (DemoConfig, {"kimg": float("inf")}, r"--kimg must be between 0.001 and 1000000, not inf\."),
        (ExportConfig, {"seed": 2**32, "run": Path("r")}, r"--seed must be between 0 and 4294967295, not 4294967296\."),
    ],
)
def test_ceilings_are_said(kind, options, sentence):
    with pytest.raises(UsageError, match=sentence):
        kind(out=Path("x"), **options)


def test_numbers_out_of_range_name_their_option():
    with pytest.raises(UsageError, match=r"--steps must be at least 1, not 0\."):
        require("--steps", 0, 1)
    with pytest.raises(UsageError, match="--gamma must be between 0 and 1, not nan"):
        require("--gamma", float("nan"), 0, 1)
    with pytest.raises(UsageError, match="not 50"):
        require_size(50)


def test_options_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        BeganConfig(dataset=Path("d"), run=Path("r")).kimg = 3  # type: ignore[misc]


def test_version_is_the_package_s():
    done = subprocess.run(
        [Path(sys.executable).parent / "lmedge", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"lmedge {lmedge.__version__}\n"


@pytest.mark.parametrize("photos", ["photos", Path("photos"), ["photos"], (Path("photos"),)])
def test_strings_are_paths_in_every_class(photos):
    config = PrepareConfig(photos=photos, out="faces", groups="people.txt")
    assert config == PrepareConfig(photos=(Path("photos"),), out=Path("faces"), groups=Path("people.txt"))
    for kind in STAGES.values():
        wanted = {name for name, hint in get_type_hints(kind).items() if bare_type(hint) is Path}
        required = {field.name: 1 for field in dataclasses.fields(kind) if is_required(field)}
        options = {**required, **dict.fromkeys(wanted, "x")} | ({"photos": "x"} if kind is PrepareConfig else {})
        assert all(getattr(kind(**options), name) == Path("x") for name in wanted), kind


def test_the_script_in_the_documentation_runs(tmp_path):
    """As it stands there, without `if __name__ == "__main__"`, and its worker processes start."""
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    (script,) = [block for block in blocks if "SynthesizeConfig" in block]
    (tmp_path / "script.py").write_text(script, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "200 faces in synthetic\n"), done.stderr
    assert len(list((tmp_path / "synthetic" / "images").iterdir())) == 200
