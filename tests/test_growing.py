"""Folders of studies: what --overwrite keeps until the new one is whole."""

import contextlib
from itertools import count

import pytest

from lmedge.errors import LmedgeError, UsageError
from lmedge.growing import growing_folder
from tests.making import Killed, killed_at, texts


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
