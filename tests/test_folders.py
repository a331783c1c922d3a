"""Folders that verbs write: where they can be, when they appear, and how work on them goes on."""

import contextlib
import subprocess
from itertools import count
from pathlib import Path

import pytest

from lmedge.errors import UsageError
from lmedge.folders import half_made, making_folder
from lmedge.growing import growing_folder
from lmedge.manifest import MANIFEST, PARTIAL, SWAP
from lmedge.owner import Owner
from lmedge.run import Run
from tests.making import NEW, OLD, Killed, killed_at, make, texts


def test_a_folder_appears_when_it_is_whole(tmp_path):
    out = tmp_path / "out"
    with making_folder(out, "a thing", False) as folder:
        (folder / "mark").write_text("1")
        assert not out.exists()
    with pytest.raises(RuntimeError), making_folder(out, "a thing", True) as folder:
        (folder / "mark").write_text("2")
        raise RuntimeError
    assert texts(tmp_path) == {"out/mark": "1"}
    assert {path.name for path in out.iterdir()} == {"mark", MANIFEST}


@pytest.mark.parametrize("kind", ["file", "link to nowhere", "below a file"])
def test_what_cannot_be_a_folder_is_refused_before_the_work(tmp_path, kind):
    place = tmp_path / "place"
    place.symlink_to(tmp_path / "nowhere") if kind == "link to nowhere" else place.touch()
    out = place / "out" if kind == "below a file" else place
    with pytest.raises(UsageError, match="is a file|is a link to|cannot be written"), making_folder(out, "x", True):
        raise AssertionError


def test_a_link_to_a_folder_and_the_folder_one_is_in_are_filled(tmp_path, monkeypatch):
    there, link = tmp_path / "there", tmp_path / "link"
    there.mkdir()
    link.symlink_to(there)
    for files, overwrite in ((OLD, False), (NEW, True)):
        make(link, files, overwrite)
        assert link.is_symlink() and texts(there) == files
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    for files, overwrite in ((OLD, False), (NEW, True)):
        make(Path(), files, overwrite)
        assert texts(here) == files


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="there is no /proc here")
def test_a_folder_that_takes_no_files_is_refused():
    with pytest.raises(UsageError, match="--out /proc/self takes no files"):
        make(Path("/proc/self"), OLD)
    for make_one in (lambda path: make(path, OLD), Run.create, growing):
        with pytest.raises(UsageError, match=r"/proc/x/y cannot be written \(No such file .*\); name a folder"):
            make_one(Path("/proc/x/y"))


def growing(path):
    with growing_folder(path, "a study", ("mark",), False):
        pass


def test_a_mount_point_below_a_parent_that_is_read_only(tmp_path):
    """A volume of a container: it can be neither renamed nor removed, and nothing can lie beside it."""
    from tests.conftest import file_system

    with file_system(tmp_path / "parent", "size=1m") as parent:
        out = parent / "volume"
        with file_system(out, "size=1m"):
            (out / "lost+found").mkdir()
            subprocess.run(["mount", "-o", "remount,ro", str(parent)], check=True)
            with pytest.raises(UsageError, match="cannot be written .Read-only file system.; name a folder"):
                make(parent / "other", OLD)
            make(out, OLD)
            with pytest.raises(OSError, match="No space left"):
                make(out, {"a": "x" * (2 << 20)}, overwrite=True)
            assert texts(out) == OLD
            make(out, NEW, overwrite=True)
            assert texts(out) == NEW
            subprocess.run(["mount", "-o", "remount,ro", str(out)], check=True)
            with pytest.raises(UsageError, match="cannot be written"):
                make(out, OLD, overwrite=True)


@pytest.mark.parametrize("name", [SWAP, f"{SWAP}/x", PARTIAL, MANIFEST, "n" * 300, "circle", "circle/x"])
def test_names_that_cannot_be_had_are_refused_before_the_work(tmp_path, name):
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    with pytest.raises(UsageError, match="lies where lmedge keeps|cannot be a folder"):
        make(tmp_path / name, OLD)
    assert [path.name for path in tmp_path.iterdir()] == ["circle"]


def test_a_folder_that_is_filled_for_the_first_time_is_whole_or_empty_after_a_kill(tmp_path):
    for step in count():
        out = tmp_path / str(step)
        with pytest.MonkeyPatch.context() as patch:
            was_killed = killed_at(patch, step)
            with contextlib.suppress(Killed):
                make(out, NEW)
            if not was_killed():
                break
        assert not out.exists() or texts(out) == NEW
        if not out.exists():
            make(out, NEW)
        assert texts(out) == NEW


def test_what_the_next_owner_begins_at_once_is_left_alone(tmp_path, monkeypatch):
    make(tmp_path, OLD)
    release = Owner.release

    def and_begun_again(owner):
        release(owner)
        (tmp_path / PARTIAL).mkdir()

    monkeypatch.setattr(Owner, "release", and_begun_again)
    make(tmp_path, NEW, overwrite=True)
    assert (tmp_path / PARTIAL).is_dir()


def test_work_that_can_be_continued_is(tmp_path):
    out = tmp_path / "out"

    def parts(of, overwrite=False):
        try:
            with making_folder(out, "a thing", overwrite, resume={"of": of}) as folder:
                found = len(texts(folder))
                (folder / f"part-{found}").write_text(str(of))
                raise KeyboardInterrupt
        except KeyboardInterrupt:
            return found

    assert [parts(1), parts(1)] == [0, 1] and half_made(out) and not out.exists()
    with pytest.raises(UsageError, match="half made with other options"):
        parts(2)
    with pytest.raises(UsageError, match="half made with other options"):
        make(out, OLD)
    assert [parts(2, True), parts(2, True)] == [0, 1]
    make(out, OLD, overwrite=True)
    assert not half_made(out)
    assert [parts(3, True), parts(3, True)] == [0, 1]
    assert half_made(out) and {k: v for k, v in texts(out).items() if k in OLD} == OLD
    make(out, NEW, overwrite=True, resume={"of": 3})
    assert texts(out) == {**NEW, "part-0": "3", "part-1": "3"}
