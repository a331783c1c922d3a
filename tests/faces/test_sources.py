import os
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from lmedge.errors import LmedgeError, UsageError
from lmedge.faces.sources import find_photos, fingerprint, read_groups
from tests.conftest import somebody


def test_photos_of_any_depth_sorted_by_name(photos):
    found = find_photos((photos,), None)
    assert len(found) == 10
    names = [source.name for source in found]
    assert names == sorted(names) and names[0].startswith("a/")
    assert all(source.group == source.name for source in found)


def test_groups_are_read_from_a_regular_file(photos, tmp_path):
    os.mkfifo(tmp_path / "groups")
    with pytest.raises(LmedgeError, match="groups is no regular file"):
        find_photos((photos,), tmp_path / "groups")


def test_groups_are_found_by_name_or_file_name(photos, tmp_path):
    groups = tmp_path / "groups.txt"
    groups.write_text("37.png anna\na/55.png ben\n\n")
    group = {source.name: source.group for source in find_photos((photos,), groups)}
    assert group["a/37.png"] == "anna" and group["a/55.png"] == "ben" and group["b/14.png"] == "b/14.png"


def test_several_folders_do_not_mix_their_names(photos):
    names = [source.name for source in find_photos((photos / "a", photos / "b"), None)]
    assert "a/37.png" in names and "b/14.png" in names


@pytest.mark.parametrize(
    ("text", "reason"), [("one two three\n", "line 1"), ("nobody x\n", "names none of the 10 photos")]
)
def test_a_wrong_group_file_is_refused(photos, tmp_path, text, reason):
    groups = tmp_path / "groups.txt"
    groups.write_text(text)
    with pytest.raises(LmedgeError, match=reason):
        find_photos((photos,), groups)
    with pytest.raises(LmedgeError, match="cannot be read"):
        read_groups(tmp_path / "none.txt")


def test_an_empty_folder_and_a_missing_one_are_refused(tmp_path):
    with pytest.raises(UsageError, match="no photo in"):
        find_photos((tmp_path,), None)
    with pytest.raises(UsageError, match="nowhere does not exist"):
        find_photos((Path("nowhere"),), None)


def test_fingerprint_sees_another_photo(photos):
    sources = find_photos((photos,), None)
    assert fingerprint(sources) == fingerprint(find_photos((photos,), None)) != fingerprint(sources[1:])


def test_a_name_that_is_not_utf_8_becomes_one_that_is(tmp_path):
    (tmp_path / os.fsdecode(b"caf\xe9.jpg")).touch()
    (found,) = find_photos((tmp_path,), None)
    assert found.name == found.group == "caf\\xe9.jpg" and found.path.exists()
    assert len(fingerprint([found])) == 64


@pytest.mark.parametrize("names", [("dataset.json", "contact.png"), (".parts/part-00000.npz", "a/b.png"),
                                   ("config.json", "checkpoints/x.npz", "samples/step-1.png"),
                                   (".lmedge.json", "face-00000.png")])  # fmt: skip
def test_what_lmedge_made_among_the_photos_is_no_photo(photos, tmp_path, names, capsys):
    folder = shutil.copytree(photos, tmp_path / "photos")
    before = fingerprint(find_photos((folder,), None))
    for name in names:
        (folder / "a" / "made" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "a" / "made" / name).touch()
    assert fingerprint(find_photos((folder,), None)) == before
    assert "made is a " in capsys.readouterr().err
    if ".lmedge.json" in names:  # generated faces with landmarks are pictures to annotate as any other
        assert len(find_photos((folder / "a" / "made",), None)) == 1
    else:
        with pytest.raises(UsageError, match="made is a .* of lmedge; name photos"):
            find_photos((folder / "a" / "made",), None)


def test_a_folder_that_may_not_be_read_is_said(capsys):
    with tempfile.TemporaryDirectory() as name:  # unlike tmp_path one that anybody may enter
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "a.jpg").touch()
        (folder / "private").mkdir(mode=0)
        with somebody():
            assert [source.name for source in find_photos((folder,), None)] == ["a.jpg"]
            assert "private may not be read, its photos are left out" in capsys.readouterr().err
            with pytest.raises(LmedgeError, match=r"private cannot be read \(Permission denied"):
                find_photos((folder / "private",), None)


def test_photos_that_went_away_are_said(photos):
    sources = find_photos((photos,), None)
    with pytest.raises(LmedgeError, match=r"gone.png was there and cannot be read any more"):
        fingerprint([replace(sources[0], path=Path("gone.png"))])
