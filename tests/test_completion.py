import shlex
import subprocess

import pytest

from lmedge.cli import main
from lmedge.verbs import VERBS

# What the shell does when the key is pressed: it sets the words, and calls the function.
PRESSED = """
eval "$SCRIPT"
COMP_WORDS=({words}) COMP_CWORD={last}
_lmedge
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


@pytest.fixture
def completed(capsys):
    """`completed("lmedge", "sam")` -> what bash offers for the last word."""

    def press(*words):
        assert main(["completion", "bash"]) == 0
        script = capsys.readouterr().out
        code = PRESSED.format(words=shlex.join(words), last=len(words) - 1)
        done = subprocess.run(
            ["bash", "--norc", "-c", code], env={"SCRIPT": script}, capture_output=True, text=True, check=True
        )
        assert not done.stderr
        return done.stdout.split()

    return press


def test_bash_completes_verbs_options_and_the_words_they_take(completed):
    assert completed("lmedge", "sam") == ["sample"]
    assert completed("lmedge", "") == list(VERBS)
    assert completed("lmedge", "invert-") == ["invert-photo"]
    assert completed("lmedge", "sample", "--co") == ["--count"]
    assert completed("lmedge", "sample", "bundle", "--out", "a", "--interpreter", "t") == ["tflite", "tensorflow"]
    assert completed("lmedge", "bench", "--no-") == ["--no-face-mesh"]
    assert completed("lmedge", "completion", "z") == ["zsh"]
    assert completed("lmedge", "prepare", "--annotator", "")[:3] == ["mediapipe", "pts", "drawn"]
    assert completed("lmedge", "train-gan", "--preset", "=", "toy") == completed("lmedge", "train-gan", "--preset", "t")
    assert "cpu64" in completed("lmedge", "train-gan", "--preset", "=")
    assert completed("lmedge", "completion", "--") == ["--help", "--dry-run", "--debug", "--options"]


def test_bash_completes_files_itself_where_no_word_is_known(completed):
    assert completed("lmedge", "sample", "bun") == [] == completed("lmedge", "sample", "--out", "fac")
    assert completed("lmedge", "no-such-verb", "--") == []


def test_bash_completes_the_options_of_the_family_that_the_line_names(completed, second_family):
    def offered(*words):
        found = completed("lmedge", "train-gan", "faces", *words, "--")
        return [option for option in ("--kimg", "--gamma", "--slope") if option in found]

    assert completed("lmedge", "train-gan", "--family", "s") == ["second"]
    assert offered("--family", "second") == ["--kimg", "--slope"]
    assert offered("--family", "=", "second", "--run", "a") == ["--kimg", "--slope"]  # as bash cuts --family=second
    assert offered("--family", "began") == ["--kimg", "--gamma"]
    assert offered("--run", "second") == offered() == ["--kimg", "--gamma", "--slope"]  # any may still be named


def test_zsh_takes_the_same_script(capsys):
    assert main(["completion", "bash"]) == 0
    script = capsys.readouterr().out
    assert "complete -o bashdefault -o default -F _lmedge lmedge\n" in script  # which is what completes files
    assert main(["completion", "zsh"]) == 0
    head, rest = capsys.readouterr().out.split("\n", 1)
    assert "bashcompinit" in head and rest == script
