import json
import shutil

import pytest

from lmedge.cli import main
from lmedge.errors import UsageError
from lmedge.printable import printable
from lmedge.progress import console, progress


@pytest.mark.parametrize(("text", "shown"), [
    ("Ümlaut, 顔, a\tb\nc", "Ümlaut, 顔, a\tb\nc"), ("\x1b[2J\x07\r", "\\x1b[2J\\x07\\r"), ("\x9b1A", "\\x9b1A"),
    ("a\u202eb", "a\\u202eb"), ("\udcff.png", "\\udcff.png"),
])  # fmt: skip
def test_what_would_steer_the_terminal_is_shown(text, shown):
    assert printable(text) == shown


def test_a_strangers_text_cannot_steer_the_terminal(bundle, tmp_path, capsys):
    """A licence is printed by `info` and by what draws, a name in a sentence."""
    copy = shutil.copytree(bundle, tmp_path / "b")
    about = json.loads((copy / "bundle.json").read_text())
    evil = "CC0 \x1b]0;owned\x07\x1b[2J[/b] [red]"
    about["training"]["licence"] = about["name"] = evil
    (copy / "bundle.json").write_text(json.dumps(about))
    assert main(["info", str(copy)]) == 0
    about["landmarks"]["scheme"] = about["schema"] = evil
    (copy / "bundle.json").write_text(json.dumps(about))
    assert main(["info", str(copy)]) == 1
    assert main(["info", str(copy / "\x1b[2J")]) == 2
    console.print(f"drawing with {evil}")
    with progress("draw", 1, "faces") as advance:
        advance(1, evil)
    said = "".join(capsys.readouterr())
    assert "\x1b" not in said and "\x07" not in said
    assert said.count("CC0 \\x1b]0;owned\\x07\\x1b[2J[/b] [red]") >= 3
    assert "\x1b" not in str(UsageError(evil))


@pytest.mark.parametrize(
    ("seconds", "done", "said"), [(2, 8, "4.0 faces/s"), (21, 5, "4.2 s each"), (1, 0, "0.0 faces/s")]
)
def test_progress_says_how_fast_it_is_or_how_long_each_takes(seconds, done, said, monkeypatch, capsys):
    now = [100.0]
    monkeypatch.setattr("lmedge.progress.time.monotonic", lambda: now[0])
    with progress("draw", 10, "faces") as advance:
        now[0] += seconds
        advance(done)
    assert f"  {said}  " in capsys.readouterr().err.splitlines()[-1]
