from pathlib import Path

import pytest

from lmedge.errors import LmedgeError, UsageError
from lmedge.faces.sources import find_photos, fingerprint, read_groups


def test_photos_of_any_depth_sorted_by_name(photos):
    found = find_photos((photos,), None)
    assert len(found) == 10
    names = [source.name for source in found]
    assert names == sorted(names) and names[0].startswith("a/")
    assert all(source.group == source.name for source in found)


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
