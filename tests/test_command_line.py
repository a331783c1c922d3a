import dataclasses
import itertools
import json
import shlex
import sys
from pathlib import Path
from typing import Literal, get_args, get_origin, get_type_hints

import pytest

from lmedge.cli import main
from lmedge.command_line import parse
from lmedge.datasets import formats
from lmedge.datasets.formats import FORMATS
from lmedge.datasets.options import FormatName
from lmedge.faces.options import ToyConfig
from lmedge.option_help import described
from lmedge.options import bare_type, to_json
from lmedge.scheme import IBUG49
from tests.test_config import ARGS, STAGES, each_stage


@pytest.fixture
def help_page(capsys, monkeypatch):
    """`help_page(called, columns)` -> what `lmedge VERB --help` prints on so wide a terminal."""

    def printed(called, columns):
        monkeypatch.setenv("COLUMNS", str(columns))
        assert main([*called, "--help"]) == 0
        return capsys.readouterr().out

    return printed


def in_box(page):
    """The lines in the boxes."""
    lines = [line.strip("│").rstrip() for line in page.splitlines() if line.startswith("│")]
    assert lines
    return lines


@pytest.mark.parametrize("columns", [80, 120])
@each_stage
def test_help_breaks_lines_at_the_edge_only(called, kind, columns, help_page):
    page = help_page(called, columns)
    text = [line for line in page.splitlines() if not line.startswith("  lmedge ")]
    assert max(map(len, text)) <= columns
    lines = in_box(page)
    for one, two in itertools.pairwise(lines):
        goes_on = one.startswith(" " * 8) and two.startswith(" " * 8)
        assert not goes_on or len(one) + 1 + len(two.split()[0]) > columns - 3, (one, two)


@each_stage
def test_help_says_what_a_user_can_write(called, kind, help_page):
    page = help_page(called, 400)  # no words are parted
    assert not any(leak in page for leak in ("None", "True", "False", "ANNOTATED", "bold", "default: )"))
    written = {option.name: option.written for option in described(kind) if not option.positional}
    for option, hint in get_type_hints(kind).items():
        if (flag := written.get(option)) is None:
            continue
        base = bare_type(hint)
        one = get_args(base)[0] if get_origin(base) is tuple else base
        if get_origin(one) is Literal:
            assert f"{flag} {{{','.join(get_args(one))}}}" in page
        if hint is bool and getattr(kind, option):
            assert f"{flag}, --no-{flag[2:]} " in page and f"(default: {flag})" in page


@each_stage
def test_examples_stand_one_a_line_and_are_calls_that_work(called, kind, help_page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("mine.json").write_text(json.dumps(IBUG49.to_json() | {"name": "mine"}))
    examples = [line.split("Example: ")[1] for line in kind.__doc__.splitlines() if "Example: " in line]
    assert [line.strip() for line in help_page(called, 80).splitlines() if line.startswith("  lmedge ")] == examples
    for example in examples:
        assert isinstance(parse(kind, called[0], shlex.split(example)[2:]), kind)


def test_formats_of_the_command_line_are_those_there_are():
    assert [format_.name for format_ in FORMATS.values()] == list(get_args(FormatName))
    files = {file.stem for file in Path(formats.__file__).parent.glob("*.py")}
    assert files == {*FORMATS, "format", "__init__"}  # none was forgotten


@each_stage
def test_what_a_dry_run_prints_can_be_given_back(called, kind, capsys, tmp_path, trained):
    verb, *chosen = called
    words = [
        str(trained) if word == "r" and verb in ("invert", "invert-photo", "check-inversion", "edit") else word
        for word in ARGS[verb]
    ]
    assert main([verb, *words, *chosen, "--dry-run"]) == 0
    printed = capsys.readouterr().out
    file = tmp_path / "options.json"
    file.write_text(printed)
    assert main([verb, "--options", str(file), "--dry-run"]) == 0
    assert capsys.readouterr().out == printed


def test_the_command_line_wins_over_the_file(capsys, tmp_path):
    file = tmp_path / "options.json"
    file.write_text(json.dumps({"out": "a", "count": 7, "seed": 3, "overwrite": True, "variant": None}))
    assert main(["sample", "b", "--options", str(file), "--count", "8", "--no-overwrite", "--dry-run"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["bundle"], told["out"], told["count"], told["seed"]) == ("b", "a", 8, 3)
    assert told["overwrite"] is False and told["variant"] is None and told["threads"] is None


@pytest.mark.parametrize(
    ("verb", "text", "refusal"),
    [
        ("sample", {"colour": 1}, ": there is no option 'colour' in this version; leave it out."),
        ("sample", {"sed": 1}, "; did you mean seed?"),
        ("sample", {"count": "many"}, ': count is "many", not a whole number.'),
        ("sample", {"count": True}, ": count is true, not a whole number."),
        ("sample", {"count": None}, ": count is null, not a whole number."),
        ("sample", {"overwrite": 1}, ": overwrite is 1, not true or false."),
        ("sample", {"out": 3}, ": out is 3, not a text."),
        (
            "sample",
            {"interpreter": "tf"},
            ': interpreter is "tf", not one of "auto", "litert", "tflite", "tensorflow".',
        ),
        ("synthesize", {"yaw": [1]}, ": yaw is [1], not a list of 2 numbers or null."),
        ("bench", {"threads": [1, 1.5]}, ": threads is [1, 1.5], not a list, each a whole number."),
        ("sample", '{"count": ', " is not JSON"),
        ("sample", "[]", " holds no JSON object"),
    ],
)
def test_a_wrong_file_of_options_is_refused_with_its_name_and_the_value(verb, text, refusal, capsys, tmp_path):
    file = tmp_path / "options.json"
    file.write_text(text if isinstance(text, str) else json.dumps(text))
    assert main([verb, "--options", str(file), "--out", "a", "--dry-run"]) != 0
    told = capsys.readouterr()
    assert told.err.startswith(f"lmedge: {file}") and refusal in told.err and told.err.count("\n") == 1
    assert not told.out


def test_what_is_missing_is_named(capsys, tmp_path):
    assert main(["sample"]) == 2
    assert capsys.readouterr().err == "lmedge: --out is missing; lmedge sample --help explains it.\n"
    assert main(["prepare", "--out", "a"]) == 2
    assert capsys.readouterr().err.startswith("lmedge: PHOTOS... is missing")
    assert main(["sample", "--options", str(tmp_path / "no.json")]) == 2
    assert "no.json is not a file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("sample b --out", "--out needs a value (PATH); lmedge sample --help explains it."),
        ("sample b --out --count 3", "--out needs a value (PATH); lmedge sample --help explains it."),
        ("synthesize --yaw 1", "--yaw needs 2 values (FLOAT FLOAT); lmedge synthesize --help explains it."),
        ("toy --out a --options", "--options needs a value (FILE); lmedge toy --help explains it."),
        ("sample b x --out a", "'x' is too much: lmedge sample takes [BUNDLE] alone; leave it out."),
        ("sample b --out a --overwrite 1", "'1' is too much: lmedge sample takes [BUNDLE] alone; leave it out."),
        ("doctor x", "'x' is too much: lmedge doctor takes options alone; leave it out."),
        ("sample b --overwrite=1", "--overwrite takes no value, so '1' is too much; leave it out."),
        ("sample b --cuont 3", "lmedge sample has no --cuont; did you mean --count?"),
        ("report r -x", "lmedge report has no -x; take one of --out, --dry-run, "),
        ("toy --out a --count x", "--count must be a whole number, not 'x'."),
        ("synthesize --yaw -1 x", "--yaw must be a number, not 'x'."),
        ("bench b --threads 1 1.5", "--threads must be a whole number, not '1.5'."),
        ("sample b --interpreter tf", "--interpreter 'tf' is unknown; take one of auto, litert, tflite, tensorflow."),
        ("completion fish", "shell 'fish' is unknown; take one of bash, zsh."),
        ("train-gan d --family --run r", "--family needs a value; take one of began"),
        ("train-gan d --run r --family", "--family needs a value; take one of began"),
    ],
)
def test_a_wrong_word_is_refused_in_a_sentence(call, said, capsys):
    assert main(call.split()) == 2
    told = capsys.readouterr()
    assert told.err.startswith(f"lmedge: {said}") and told.err.count("\n") == 1 and not told.out


def test_words_that_only_tyro_knows_to_be_wrong_are_refused_too(capsys, monkeypatch):
    monkeypatch.setattr("lmedge.command_line.tyro.cli", lambda *_, **__: sys.exit(2))
    assert main(["sample", "b", "--out", "a b"]) == 2
    said = capsys.readouterr().err
    assert said == "lmedge: lmedge sample does not take b --out 'a b'; lmedge sample --help says what it takes.\n"


@each_stage
def test_a_file_of_options_of_another_verb_is_refused_with_its_name(called, kind, capsys, tmp_path, trained):
    """Where all of its options are this verb's too, it is read."""
    words = [str(trained) if word == "r" and called[0].endswith("inversion") else word for word in ARGS[called[0]]]
    options = to_json(parse(kind, called[0], words))
    (tmp_path / "options.json").write_text(json.dumps(options))
    for (other, *chosen), kind_of_other in STAGES.items():
        strange = [name for name in options if name not in {f.name for f in dataclasses.fields(kind_of_other)}]
        if strange:
            call = [other, *ARGS[other], *chosen, "--options", str(tmp_path / "options.json"), "--dry-run"]
            assert main(call) == 2
            said, written = capsys.readouterr().err, " ".join(called)
            assert f" was written for lmedge {written}, and lmedge {other} has no {strange[0]!r}; name " in said, said


def test_options_stand_after_what_is_the_verb_s_own(help_page):
    names = [line.split()[0].strip(",") for line in in_box(help_page(("toy",), 80)) if line.startswith(" --")]
    own = [f"--{f.name}" for f in dataclasses.fields(ToyConfig) if f.name not in ("dry_run", "debug")]
    assert names == [*own, "--dry-run", "--debug", "--options"]


@each_stage
def test_what_is_described_is_what_tyro_understands(called, kind, help_page):
    """The description is what the reference page and completion are made from."""
    page = " ".join(help_page(called, 400).replace("│", " ").split())
    for option in described(kind):
        kinds = f"{option.written} {option.metavar}".strip() if not option.positional else option.metavar
        assert f"{kinds} " in page.replace(f", --no-{option.written[2:]}", ""), option
        assert f"{option.explanation} {option.default}".strip() in page, option
