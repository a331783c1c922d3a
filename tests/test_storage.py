import json

import pytest

from lmedge.errors import LmedgeError, UsageError
from lmedge.storage import claim_file, read_json, replacing, write_bytes, write_json


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, {"a": 1})
    with pytest.raises(RuntimeError), replacing(path) as beside:
        beside.write_text("half")
        raise RuntimeError
    assert json.loads(path.read_text()) == {"a": 1}
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_leaves_the_old_file(small_disk):
    path = small_disk / "a"
    write_bytes(path, b"old")
    with pytest.raises(OSError, match="No space left"):
        write_bytes(path, bytes(2 << 20))
    assert path.read_bytes() == b"old"
    assert list(small_disk.iterdir()) == [path]


@pytest.mark.parametrize(("text", "reason"), [("{", "is not JSON"), ("[]", "no JSON object"), (None, "is missing")])
def test_bad_json_is_refused_in_a_sentence(tmp_path, text, reason):
    path = tmp_path / "a.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(LmedgeError, match=reason):
        read_json(path, "a thing")


def test_an_output_file_is_not_overwritten_unasked(tmp_path):
    path = tmp_path / "new" / "a.png"
    claim_file(path, False)
    path.touch()
    with pytest.raises(UsageError, match="exists; add --overwrite"):
        claim_file(path, False)
    claim_file(path, True)
    with pytest.raises(UsageError, match="is a folder"):
        claim_file(tmp_path, True)
