"""Whose files are replaced and deleted."""

import json
import shutil

import pytest

from lmedge.errors import LmedgeError, UsageError
from lmedge.folders import making_folder
from lmedge.manifest import MANIFEST
from lmedge.runtime.gallery import sample
from lmedge.runtime.options import SampleConfig
from tests.making import NEW, OLD, make, texts


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
    assert {p.name for p in out.iterdir()} == {
        "face-00000.png",
        "landmarks.csv",
        "latents.npz",
        "contact.png",
        "mine.png",
        MANIFEST,
    }


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
