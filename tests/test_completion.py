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
    assert main(["completion", "bash"]) == 0
    script = capsys.readouterr().out

    def press(*words):
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
    assert completed("lmedge", "completion", "--") == ["--help", "--dry-run", "--debug", "--options"]


def test_bash_completes_files_itself_where_no_word_is_known(completed):
    assert completed("lmedge", "sample", "bun") == [] == completed("lmedge", "sample", "--out", "fac")
    assert completed("lmedge", "no-such-verb", "--") == []


def test_zsh_takes_the_same_script(capsys):
    assert main(["completion", "bash"]) == 0
    script = capsys.readouterr().out
    assert "complete -o bashdefault -o default -F _lmedge lmedge\n" in script  # which is what completes files
    assert main(["completion", "zsh"]) == 0
    head, rest = capsys.readouterr().out.split("\n", 1)
    assert "bashcompinit" in head and rest == script
