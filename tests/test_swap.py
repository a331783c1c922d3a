"""New files in the place of old ones: what a kill leaves, and what a stranger can make of it."""

import contextlib
import json
import shutil
from itertools import count

import pytest

from lmedge.errors import LmedgeError
from lmedge.manifest import MANIFEST, SWAP
from lmedge.runtime import FaceSampler
from lmedge.swap import check_whole, settle
from tests.making import NEW, OLD, Killed, killed_at, make, texts


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
