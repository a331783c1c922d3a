import errno
import json
import subprocess
import sys

import pytest

from lmedge.cli import main
from lmedge.failures import outside_our_hands
from lmedge.verbs import VERBS


@pytest.mark.parametrize(
    "args", [["--help"], ["sample", "--help"], ["train-gan", "--help"], ["info", "nowhere"], ["completion", "bash"]]
)
def test_light_calls_import_no_tensorflow(args):
    code = (
        f"import sys; from lmedge.cli import main; main({args}); "
        "print('tensorflow' in sys.modules, 'keras' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False False"


@pytest.mark.parametrize("args", [["--help"], ["train-gan", "--help"], ["prepare", "--help"]])
def test_help_imports_not_even_numpy(args):
    code = f"import sys; from lmedge.cli import main; main({args}); print('numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"


@pytest.mark.parametrize("columns", [80, 200])
def test_overview_lists_the_verbs_in_order_and_fits_the_terminal(columns, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    assert main([]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines if line.startswith("  ") and line[2] != " "] == list(VERBS)
    assert max(map(len, lines)) <= columns


def test_an_unknown_verb_is_refused_with_the_nearest(capsys):
    assert main(["smaple"]) == 2
    assert capsys.readouterr().err == "lmedge: there is no verb 'smaple'; did you mean sample?\n"


@pytest.mark.parametrize(
    ("words", "verb"),
    [(("--self-test", "1000"), "check-inversion"), (("--self-test=9",), "check-inversion"),
     (("me.jpg", "--out", "me.png"), "invert-photo")],
)  # fmt: skip
def test_what_invert_did_before_names_the_verb_that_does_it(words, verb, capsys):
    assert main(["invert", "run", *words]) == 2
    said = capsys.readouterr().err
    assert said.startswith("lmedge: lmedge invert has no --") and f"; `lmedge {verb} RUN" in said


def test_a_call_without_a_word_says_what_is_missing(capsys):
    assert main(["train-gan"]) == main(["invert"]) == 2
    said = capsys.readouterr().err.splitlines()
    assert said == [f"lmedge: {what} is missing; lmedge {verb} --help explains it."
                    for what, verb in (("DATASET", "train-gan"), ("RUN", "invert"))]  # fmt: skip


def test_a_wrong_option_is_a_wrong_call(capsys):
    assert main(["toy", "--out", "a", "--colour", "red"]) == 2
    assert main(["toy", "--out", "a", "--scheme", "ibug12"]) == 2
    assert "ibug68" in capsys.readouterr().err


def test_dry_run_prints_the_resolved_options_and_writes_nothing(capsys, tmp_path):
    run = tmp_path / "run"
    assert main(["train-gan", "faces", "--run", str(run), "--preset", "celeba64", "--dry-run"]) == 0
    options = json.loads(capsys.readouterr().out)
    assert options["width"] == 64 and options["batch"] == 16 and options["precision"] != "auto"
    assert not run.exists()


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "x.png"), "the disk is full while writing x.png"),
        (RuntimeError("writing: No space left on device"), "the disk is full; free some space"),
        (PermissionError(errno.EACCES, "Permission denied", "/root/x"), "no permission to use /root/x"),
        (
            ModuleNotFoundError("No module", name="mediapipe"),
            "mediapipe is not installed and this verb needs it; pip install",
        ),
        (MemoryError(), "lower --batch"),
        (ZeroDivisionError("a\nb"), "failed with ZeroDivisionError: a (add --debug"),
    ],
)
def test_what_no_stage_foresees_is_one_sentence(error, sentence):
    text, code = outside_our_hands(error)
    assert sentence in text and "\n" not in text and code == 1


def test_debug_shows_the_traceback(capsys):
    assert main(["info", "nowhere"]) == 2
    assert "Traceback" not in capsys.readouterr().err
    assert main(["info", "nowhere", "--debug"]) == 2
    assert "Traceback" in capsys.readouterr().err


def test_a_refusal_is_one_line_of_a_sane_length_whatever_it_quotes(tmp_path, capsys):
    (tmp_path / "bundle.json").write_text(json.dumps({"schema": "x\n" * 500_000}))
    assert main(["sample", str(tmp_path), "--out", str(tmp_path / "out\nside")]) == 1
    said = capsys.readouterr().err
    assert said.startswith("lmedge: ") and said.count("\n") == 1 and len(said) < 2100 and "schema" in said
