"""A set of generated faces that was stopped: what the same command makes of it."""

import errno
import json
from unittest.mock import patch

import pytest

from lmedge.datasets import synthesize
from lmedge.datasets.formats import FORMATS
from lmedge.datasets.formats.coco import Coco
from lmedge.errors import UsageError
from tests.datasets import COUNT, contents, made

pytestmark = pytest.mark.usefixtures("small_parts")


class Watched(Coco):
    """Notes where the parts begin that it writes; stops at face `end`."""

    def __init__(self, end=None):
        self.end, self.firsts = end, []

    def part(self, out, first, samples, shape):
        if first == self.end:
            raise KeyboardInterrupt
        self.firsts.append(first)
        super().part(out, first, samples, shape)


def firsts(bundle, out, end=None, **options):
    """Makes a set, or the parts of it before face `end`; gives where the parts begin that were made."""
    with patch.dict(FORMATS, coco=(watched := Watched(end))):
        if end is None:
            made(bundle, out, "coco", **options)
        else:
            with pytest.raises(KeyboardInterrupt):
                made(bundle, out, "coco", **options)
    return watched.firsts


CHOSEN = {"min_confidence": 0.4, "mirror": True}  # where a part begins in the seed depends on those before


def test_a_set_that_was_stopped_is_continued(bundle, tmp_path, capsys):
    assert firsts(bundle, tmp_path / "whole", **CHOSEN) == [0, 16, 32]
    assert firsts(bundle, tmp_path / "stopped", end=32, **CHOSEN) == [0, 16]
    assert not (tmp_path / "stopped").exists()
    with pytest.raises(UsageError, match="half made with other options"):
        made(bundle, tmp_path / "stopped", "coco", **CHOSEN, truncation=0.5)
    capsys.readouterr()
    assert firsts(bundle, tmp_path / "stopped", **CHOSEN) == [32]
    assert f"continuing {tmp_path}/stopped: 32 of 40 faces are there" in capsys.readouterr().err
    assert contents(tmp_path / "stopped") == contents(tmp_path / "whole")
    with pytest.raises(UsageError, match="add --overwrite"):
        made(bundle, tmp_path / "whole", "coco", **CHOSEN)


def test_parts_that_are_damaged_or_lost_are_made_again_and_no_others(bundle, tmp_path, capsys):
    made(bundle, tmp_path / "whole", "coco", count=70, **CHOSEN)
    assert firsts(bundle, tmp_path / "out", end=64, count=70, **CHOSEN) == [0, 16, 32, 48]
    parts = sorted(tmp_path.rglob("part-*.npz"))
    parts[0].write_bytes(parts[0].read_bytes()[:99])
    parts[2].unlink()
    capsys.readouterr()
    assert firsts(bundle, tmp_path / "out", count=70, **CHOSEN) == [0, 32, 64]
    said = capsys.readouterr().err
    assert said.count(" is damaged") == 1 and "part-00000.npz is damaged (" in said and "and made again" in said
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def test_inverted_photos_are_kept_and_inverted_again_where_that_is_damaged(trained, toys, tmp_path, capsys):
    options = {"around": toys, "keep_all": True}
    made(trained, tmp_path / "whole", "coco", **options)
    assert firsts(trained, tmp_path / "out", end=16, **options) == [0]
    capsys.readouterr()
    assert firsts(trained, tmp_path / "out", end=32, **options) == [16]
    assert "invert photos" not in capsys.readouterr().err
    next(tmp_path.rglob("around.npz")).write_bytes(b"cut")
    assert firsts(trained, tmp_path / "out", **options) == [32]
    said = capsys.readouterr().err
    assert "around.npz is damaged (" in said and "invert photos" in said
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def test_parts_of_another_size_are_refused(bundle, tmp_path, monkeypatch):
    firsts(bundle, tmp_path / "out", end=32)
    monkeypatch.setattr(synthesize, "PART_FACES", 8)
    with pytest.raises(UsageError, match="half made with other options"):
        made(bundle, tmp_path / "out", "coco")


def test_a_set_goes_on_with_other_versions_of_packages(bundle, tmp_path, monkeypatch):
    firsts(bundle, tmp_path / "out", end=32)
    monkeypatch.setattr(synthesize, "versions", lambda *names: dict.fromkeys(names, "99.0"))
    assert made(bundle, tmp_path / "out", "coco").count == COUNT
    assert json.loads((tmp_path / "out" / "card.json").read_text())["versions"]["fpng"] == "99.0"


def test_killed_and_started_again(bundle, tmp_path, lmedge):
    from tests.test_kill import kill_when

    def args(name):
        return ("synthesize", bundle, "--count", 9000, "--format", "webdataset", "--out", tmp_path / name)

    whole = tmp_path / "killed" / "faces-000000.tar"
    assert kill_when(args("killed"), lambda: list(tmp_path.rglob("faces-000001.tar")))
    assert not whole.parent.exists()
    before = next(tmp_path.rglob(whole.name)).stat().st_mtime_ns
    for name in ("killed", "whole"):
        done = lmedge(*args(name))
        assert done.returncode == 0, done.stderr
    assert whole.stat().st_mtime_ns == before
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("whole", [0, 16])
def test_a_disk_that_fills_keeps_whole_parts_and_nothing_else(bundle, tmp_path, name, whole):
    made(bundle, tmp_path / "whole", name)
    kind = type(FORMATS[name])
    writing = kind.part

    def full(self, out, first, samples, shape):
        writing(self, out, first, samples, shape)
        if first == whole:
            raise OSError(errno.ENOSPC, "No space left on device")

    with patch.object(kind, "part", full), pytest.raises(OSError, match="No space"):
        made(bundle, tmp_path / "full", name)
    there = [path for path in tmp_path.glob(".full.partial/files/**/*") if path.is_file()]
    labels = [path for path in there if path.parent.name == synthesize.PARTS]
    assert (len(labels), len(there) - len(labels)) == ((1, 16 * kind.files_per_face or 1) if whole else (0, 0))
    assert whole or not (tmp_path / ".full.partial").exists()
    made(bundle, tmp_path / "full", name)
    assert contents(tmp_path / "full") == contents(tmp_path / "whole")
