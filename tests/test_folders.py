"""Folders that verbs write: whose files are deleted, when, and what a kill leaves."""

import contextlib
import json
import os
import shutil
import subprocess
from itertools import count
from pathlib import Path

import pytest

from lmedge.errors import LmedgeError, UsageError
from lmedge.folders import MANIFEST, PARTIAL, SWAP, check_whole, half_made, making_folder, settle
from lmedge.growing import growing_folder
from lmedge.owner import Owner
from lmedge.runtime import FaceSampler
from lmedge.runtime.gallery import sample
from lmedge.runtime.options import SampleConfig


def make(path, files, overwrite=False, **options):
    """A folder of files with the text of each."""
    with making_folder(path, "a thing", overwrite, **options) as folder:
        for name, text in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)


def texts(path):
    """What lies in a folder, but for the manifest."""
    return {file.relative_to(path).as_posix(): file.read_text()
            for file in path.rglob("*") if file.is_file() and file.name != MANIFEST}  # fmt: skip


OLD = {"a": "old", "b/one": "old", "b/two": "old"}
NEW = {"a": "new", "b/one": "new", "c/three": "new"}


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


def test_overwrite_replaces_what_the_manifest_lists_and_leaves_the_rest(tmp_path):
    out = tmp_path / "out"
    make(out, OLD)
    (out / "diary.txt").write_text("mine")
    (out / "b" / "photo").write_text("mine")
    with pytest.raises(UsageError, match=r"--out .*out exists and is not empty; add --overwrite"):
        make(out, NEW)
    make(out, NEW, overwrite=True)
    assert texts(out) == {**NEW, "diary.txt": "mine", "b/photo": "mine"}
    make(out, {"d": "newer"}, overwrite=True)
    assert texts(out) == {"d": "newer", "diary.txt": "mine", "b/photo": "mine"}
    assert not (out / "c").exists()


def test_photos_beside_a_table_of_somebody_else_are_not_deleted(bundle, tmp_path):
    """Its name alone made a folder ours."""
    names = {*(f"photo-{i}.png" for i in range(3)), "landmarks.csv"}
    for name in names:
        (tmp_path / name).write_text("mine")
    with pytest.raises(UsageError, match="no .lmedge.json says that lmedge wrote it"):
        sample(SampleConfig(bundle=bundle, out=tmp_path, count=1, overwrite=True))
    assert set(texts(tmp_path)) == names


def test_a_strangers_file_in_the_place_of_a_new_one_is_refused_before_the_work(bundle, tmp_path):
    out = tmp_path / "out"
    sample(SampleConfig(bundle=bundle, out=out, count=2))
    (out / "face-mine.png").write_text("mine")
    with pytest.raises(UsageError, match="holds face-mine.png, which lmedge did not write"):
        sample(SampleConfig(bundle=bundle, out=out, count=3, overwrite=True))
    (out / "face-mine.png").rename(out / "mine.png")
    sample(SampleConfig(bundle=bundle, out=out, count=1, overwrite=True))
    assert {p.name for p in out.iterdir()} == {"face-00000.png", "landmarks.csv", "contact.png", "mine.png", MANIFEST}


def test_a_folder_of_another_kind_is_not_replaced(tmp_path):
    make(tmp_path / "out", OLD)
    with (
        pytest.raises(UsageError, match="holds a thing, which is not replaced by a bundle"),
        making_folder(tmp_path / "out", "a bundle", True),
    ):
        pass


def test_a_manifest_that_leads_out_of_its_folder_deletes_nothing(tmp_path):
    out, mine = tmp_path / "out", tmp_path / "mine"
    make(out, OLD)
    mine.mkdir()
    (mine / "two").write_text("mine")
    for files in (["../mine/two"], [str(mine / "two")], [7], "a"):
        (out / MANIFEST).write_text(json.dumps({"kind": "a thing", "files": files}))
        with pytest.raises(LmedgeError, match=MANIFEST):
            make(out, NEW, overwrite=True)
    shutil.rmtree(out / "b")
    (out / "b").symlink_to(mine)
    (out / MANIFEST).write_text(json.dumps({"kind": "a thing", "files": list(OLD)}))
    make(out, {"a": "new"}, overwrite=True)
    assert texts(mine) == {"two": "mine"} and (out / "a").read_text() == "new"
    with pytest.raises(LmedgeError, match="is in the way"):
        make(out, {"a": "newer", "b/two": "newer"}, overwrite=True)
    with pytest.raises(LmedgeError, match="is in the way"):
        make(out, {"a": "newer", "b/deep/er": "newer"}, overwrite=True)
    (out / "a").unlink()
    (out / "a").mkdir()
    with pytest.raises(LmedgeError, match="a is in the way"):
        make(out, {"a": "newer"}, overwrite=True)
    assert texts(mine) == {"two": "mine"} and not any((out / "a").iterdir())


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


class Killed(BaseException):
    pass


def killed_at(monkeypatch, step):
    """Lets nothing on the disk change from this change on; says afterwards whether there were as many."""
    left = [step]
    for owner, name in ((os, "rename"), (os, "replace"), (os, "unlink"), (os, "rmdir"), (os, "mkdir")):
        real = getattr(owner, name)

        def call(*args, real=real, **kwargs):
            if left[0] == 0:
                raise Killed
            left[0] -= 1
            return real(*args, **kwargs)

        monkeypatch.setattr(owner, name, call)
    return lambda: left[0] == 0


def test_old_or_new_is_whole_after_a_kill_at_any_step_of_the_swap(tmp_path):
    outcomes = []
    for step in count():
        out = tmp_path / str(step)
        make(out, OLD)
        (out / "diary.txt").write_text("mine")
        with pytest.MonkeyPatch.context() as patch:
            was_killed = killed_at(patch, step)
            with contextlib.suppress(Killed):
                make(out, NEW, overwrite=True)
            if not was_killed():
                break
        settle(out)
        found = texts(out)
        assert found.pop("diary.txt") == "mine"
        visible = {name: text for name, text in found.items() if not name.startswith(".lmedge")}
        assert visible in (OLD, NEW), (step, found)
        outcomes.append(visible == NEW)
        make(out, NEW, overwrite=True)
        assert texts(out) == {**NEW, "diary.txt": "mine"}
        assert {path.name for path in out.iterdir()} == {"a", "b", "c", "diary.txt", MANIFEST}
    assert outcomes == sorted(outcomes) and {*outcomes} == {False, True}


def given(path, files, swap):
    """A folder from a stranger: lmedge's, with a swap under way that lmedge never began."""
    make(path, {"a": "theirs"})
    (path / SWAP).mkdir()
    for name, text in swap.items():
        (path / SWAP / name).parent.mkdir(exist_ok=True)
        (path / SWAP / name).write_text(text)
    (path / SWAP / MANIFEST).write_text(json.dumps({"kind": "a thing", "files": files}))


@pytest.mark.parametrize("link", ["where files go", "where files come from", "the swap"])
def test_a_stranger_s_swap_leads_nowhere(tmp_path, link):
    mine, out = tmp_path / "mine", tmp_path / "out"
    make(mine, {"notes": "mine"})
    if link == "where files go":
        given(out, ["d/notes"], {"d/notes": "evil"})
        (out / "d").symlink_to(mine)
    elif link == "where files come from":
        given(out, ["d/notes"], {})
        (out / SWAP / "d").symlink_to(mine)
    else:
        make(out, {"a": "theirs"})
        (out / SWAP).symlink_to(mine)
    for change in (lambda: settle(out), lambda: make(out, {"a": "new"}, overwrite=True)):
        with pytest.raises(LmedgeError, match="not lmedge's; (delete|move)"):
            change()
    assert texts(mine) == {"notes": "mine"} and (mine / MANIFEST).is_file()


def test_who_reads_a_folder_changes_nothing_in_it(bundle, tmp_path):
    given(tmp_path / "out", [], {})
    copy = shutil.copytree(bundle, tmp_path / "copy")
    shutil.copytree(tmp_path / "out" / SWAP, copy / SWAP)
    before = texts(tmp_path / "out"), {file: file.read_bytes() for file in copy.rglob("*") if file.is_file()}
    with pytest.raises(LmedgeError, match="being replaced, or that was killed halfway"):
        check_whole(tmp_path / "out")
    with pytest.raises(LmedgeError, match="repeat the command that did"):
        FaceSampler(copy)
    assert before == (texts(tmp_path / "out"), {file: file.read_bytes() for file in copy.rglob("*") if file.is_file()})


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


def test_a_study_begun_again_keeps_the_old_one_until_the_new_one_is_whole(tmp_path):
    out, names = tmp_path / "out", ("mark", "deep", "late")

    def grow(files, overwrite=False, fail=False):
        with growing_folder(out, "a study", names, overwrite):
            for name, text in files.items():
                (out / name).parent.mkdir(exist_ok=True)
                (out / name).write_text(text)
            if fail:
                raise LmedgeError("no")

    with pytest.raises(LmedgeError):
        grow({}, fail=True)
    assert not out.exists()
    old = {"mark": "old", "deep/one": "old", "late": "old"}
    grow(old)
    (out / "diary.txt").write_text("mine")
    grow({"deep/two": "more"})
    assert texts(out) == {**old, "deep/two": "more", "diary.txt": "mine"}
    with pytest.raises(LmedgeError):
        grow({"mark": "new"}, overwrite=True, fail=True)
    assert {"mark": "new", ".lmedge.old/mark": "old", ".lmedge.old/deep/two": "more"}.items() <= texts(out).items()
    with pytest.raises(LmedgeError):
        grow({"mark": "newer"}, overwrite=True, fail=True)
    assert {"mark": "newer", ".lmedge.old/late": "old"}.items() <= texts(out).items()
    grow({"late": "new"})
    assert texts(out) == {"mark": "newer", "late": "new", "diary.txt": "mine"}


def test_a_study_that_is_killed_while_it_is_begun_again_is_the_old_or_the_new_one(tmp_path):
    def grow(text, overwrite):
        with growing_folder(out, "a study", ("mark", "late"), overwrite):
            before = texts(out)
            for name in ("mark", "late"):
                (out / name).write_text(text)
            finished.append(text)
        return before

    seen = set()
    for step in count():
        out, finished = tmp_path / str(step), []
        grow("old", False)
        with pytest.MonkeyPatch.context() as patch:
            was_killed = killed_at(patch, step)
            with contextlib.suppress(Killed):
                grow("new", True)
            if not was_killed():
                break
        before = grow("newer", False)
        kept = {name.removeprefix(".lmedge.old/"): text for name, text in before.items() if text == "old"}
        assert finished[1] == "new" or kept == {"mark": "old", "late": "old"}
        seen.add(finished[1])
        assert texts(out) == {"mark": "newer", "late": "newer"}
    assert seen == {"new", "newer"}


def test_a_folder_of_somebody_else_is_no_study(tmp_path):
    (tmp_path / "diary.txt").write_text("mine")
    for overwrite in (False, True):
        with pytest.raises(UsageError, match="left alone"), growing_folder(tmp_path, "a study", ("mark",), overwrite):
            raise AssertionError
    assert [path.name for path in tmp_path.iterdir()] == ["diary.txt"]
