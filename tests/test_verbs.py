"""The table of verbs, and what a new one costs: the file below, and a line in the table."""

import importlib.util
import json
import sys
from dataclasses import dataclass, replace

import pytest

from lmedge import verbs
from lmedge.about import doctor
from lmedge.cli import main
from lmedge.verb import Choice
from lmedge.verbs import VERBS

TALLY = '''
"""`lmedge tally`."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional

from lmedge.bounds import whole
from lmedge.errors import LmedgeError
from lmedge.options import DatasetFolder, Stage
from lmedge.verb import Verb


@dataclass(frozen=True, kw_only=True)
class TallyConfig(Stage):
    """Count the files of a dataset.

    Example: lmedge tally faces --at-least 3
    """

    dataset: Positional[DatasetFolder]
    """Folder whose files are counted."""
    at_least: Annotated[int, whole(0, 1000)] | None = None
    """Fewer are a failure. Default: 1."""


def resolve(config):
    return replace(config, at_least=1 if config.at_least is None else config.at_least)


def run(config):
    config = resolve(config)
    found = len(list(config.dataset.iterdir()))
    if found < config.at_least:
        raise LmedgeError(f"{config.dataset} holds {found} files; --at-least {config.at_least} are wanted.")
    print(found)


VERB = Verb("tally", TallyConfig, run, needs=("no-such-distribution",), resolve=resolve)
'''


@pytest.fixture
def tally(tmp_path):
    """A verb that lives in one file."""
    file = tmp_path / "tally.py"
    file.write_text(TALLY)
    spec = importlib.util.spec_from_file_location("tally_of_a_test", file)
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    verbs.add(module.VERB)
    yield module.VERB
    del VERBS["tally"], sys.modules[spec.name]


def test_a_verb_of_one_file_is_in_help_and_runs(tally, tmp_path, capsys):
    assert main([]) == 0
    lines = [line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines()]
    assert ["tally", "Count the files of a dataset."] in lines
    assert main(["tally", "--help"]) == 0
    page = capsys.readouterr().out
    assert page.startswith(
        "usage: lmedge tally [OPTIONS] DATASET\n\nCount the files of a dataset.\n\nExample:\n  lmedge tally"
    )
    assert "--at-least INT" in page and "Fewer are a failure. Default: 1." in page
    assert main(["tally", str(tmp_path)]) == 0 and capsys.readouterr().out == "1\n"


def test_a_verb_of_one_file_refuses_as_the_others_do(tally, tmp_path, capsys):
    for words, code, sentence in (
        ([], 2, "DATASET is missing; lmedge tally --help explains it."),
        ([str(tmp_path), "--at-least", "1001"], 2, "--at-least must be between 0 and 1000, not 1001."),
        ([str(tmp_path), "--at-least", "2"], 1, f"{tmp_path} holds 1 files; --at-least 2 are wanted."),
    ):
        assert main(["tally", *words]) == code
        assert capsys.readouterr().err == f"lmedge: {sentence}\n"
    assert main(["taly"]) == 2
    assert capsys.readouterr().err == "lmedge: there is no verb 'taly'; did you mean tally?\n"


def test_a_dry_run_of_a_verb_of_one_file_fills_in_what_it_would(tally, tmp_path, capsys):
    assert main(["tally", str(tmp_path), "--dry-run"]) == 0
    assert json.loads(capsys.readouterr().out) == {"dataset": str(tmp_path), "at_least": 1}


def test_doctor_tells_what_a_verb_of_one_file_lacks(tally, capsys, monkeypatch):
    monkeypatch.setattr(doctor, "_try", lambda code: None)
    monkeypatch.setattr(doctor, "_gpus", lambda: "none")
    assert main(["doctor"]) == 0
    (row,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith("  tally "))
    assert row.split(maxsplit=1)[1] == "missing no-such-distribution: pip install no-such-distribution"


def test_a_name_is_given_once(tally):
    with pytest.raises(ValueError, match="there is a verb 'tally' already"):
        verbs.add(tally)


def test_words_may_choose_the_options(tally, monkeypatch, tmp_path, capsys):
    @dataclass(frozen=True, kw_only=True)
    class Louder(tally.options):
        volume: int = 3
        """How loud."""

    choice = Choice("--voice", lambda: ("soft", "loud"), lambda words: Louder if "loud" in words else tally.options)
    monkeypatch.setitem(VERBS, "tally", replace(tally, choice=choice))
    assert VERBS["tally"].kinds() == {("--voice", "soft"): tally.options, ("--voice", "loud"): Louder}
    monkeypatch.chdir(tmp_path)
    assert main(["tally", "loud", "--volume", "4", "--dry-run"]) == 0
    assert json.loads(capsys.readouterr().out)["volume"] == 4
    assert main(["tally", "soft", "--volume", "4", "--dry-run"]) == 2
