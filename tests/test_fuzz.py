"""The short form of scripts/fuzz, and that its engine finds what it is there to find."""

import os
import signal
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def engine(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    import fuzzing

    return fuzzing


@pytest.mark.parametrize(
    ("name", "cases"),
    [("photos", 300), ("pts", 150), ("attributes", 200), ("network", 80), ("models", 30), ("bundle", 40),
     ("dataset", 60), ("shards", 40), ("runs", 100), ("latents", 60)],
)  # fmt: skip
def test_changed_inputs_give_a_result_or_a_refusal_in_a_sentence(engine, tmp_path, name, cases):
    from fuzz_targets import TARGETS

    examine = engine.Case(TARGETS[name], 7, tmp_path).examine
    findings = [found for case in range(cases) if (found := examine(case))]
    assert not findings, f"{findings[0].what}: scripts/fuzz 0 --only {name} --seed 7 --case {findings[0].case}"


def misbehave(path):
    """Does what its input asks for."""
    number = path.read_bytes()[0] % 8
    if number == 1:
        raise KeyError("a bug")
    if number == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    if number == 3:
        bytearray(b"x" * (150 << 20))
    if number == 4:
        time.sleep(0.7)
    if number == 5:
        raise engine_error("two\nlines")


def engine_error(text):
    from lmedge.errors import LmedgeError

    return LmedgeError(text)


def one_byte(folder):
    (folder / "input").write_bytes(bytes(20))
    return [folder / "input"]


def test_exceptions_signals_memory_and_time_are_found_and_kept(engine, tmp_path):
    def numbered(data, random):
        return bytes([int(random.integers(256))]) + data

    target = engine.Target("bad", one_byte, numbered, misbehave, seconds=0.5, mib=100)
    found = []
    for finding in engine.fuzz(target, 0, tmp_path / "work", time.monotonic() + 30):
        found += [finding] if finding else []
        if len(engine.distinct(found)) == 5:
            break
    said = sorted(engine.distinct(found))
    assert [text.removeprefix("bad: ").split(" at ")[0] for text in said] == [
        "KeyError", "a refusal of several lines or with control characters", "ended the process with exit code -N",
        "took more than N MiB", "took more than N.N s",
    ]  # fmt: skip
    engine.keep(found[0], target, tmp_path / "again", tmp_path / "kept")
    again = engine.Case(target, 0, tmp_path / "twice").examine(found[0].case) if "ended" not in found[0].what else None
    assert len(list((tmp_path / "kept").iterdir())) == 2 and (again is None or again.what == found[0].what)
