import io
import json
import math
import os
import zipfile

import numpy as np
import pytest

from lmedge.errors import LmedgeError, UsageError
from lmedge.storage import Damaged, claim_file, read_arrays, read_json, replacing, write_arrays, write_bytes, write_json


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


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"{", r"is not JSON \(line 1, column 2: .*\); a thing was damaged or edited by hand: mend that, or"),
        (b'{"a": ' + b"1" * 5000 + b"}", r"\(a number has thousands of digits\)"),
        (b'{"a": ' + b"[" * 100_000, r"\(it is nested too deep\)"),
        (b'{"a": "\xff"}', r"\(byte 7 is no UTF-8\)"),
        (b"[]", "no JSON object"),
        (None, "is missing"),
    ],
)  # fmt: skip
def test_bad_json_is_refused_in_a_sentence(tmp_path, data, reason):
    path = tmp_path / "a.json"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(LmedgeError, match=reason):
        read_json(path, "a thing")


def test_a_byte_order_mark_is_no_part_of_json(tmp_path):
    (tmp_path / "a.json").write_bytes(b'\xef\xbb\xbf{"a": 1}')
    assert read_json(tmp_path / "a.json", "a thing") == {"a": 1}


@pytest.mark.parametrize("value", [math.nan, math.inf, 10**400, "1", True, None])
def test_what_no_float_holds_is_no_number(tmp_path, value):
    write_json(tmp_path / "a.json", {"inner": {"a": value}})
    with pytest.raises(LmedgeError, match="a.json, 'inner' has .* for 'a', not a number; a thing was damaged"):
        read_json(tmp_path / "a.json", "a thing", {"inner": {"a": float}})


def test_arrays_come_back_as_they_were(tmp_path):
    arrays = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.array("text"), "c": np.zeros((0, 4), np.int64),
              "d": np.asfortranarray(np.random.default_rng(0).random((3, 5)))}  # fmt: skip
    write_arrays(tmp_path / "a.npz", arrays)
    found, wanted = read_arrays(tmp_path / "a.npz"), np.load(tmp_path / "a.npz")
    assert set(found) == set(arrays)
    for name in arrays:
        assert found[name].dtype == wanted[name].dtype and (found[name] == wanted[name]).all()


def claimed(shape):
    """An array's header without its numbers."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": shape})
    return header.getvalue()


@pytest.mark.parametrize("packed", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize(("shape", "there"), [((1 << 40,), 0), ((1 << 22,), 1 << 25), ((3,), 8), ((2,), 24)])
def test_arrays_that_claim_more_than_there_is_take_no_memory(tmp_path, packed, shape, there):
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w", packed) as archive:
        archive.writestr("a.npy", claimed(shape) + bytes(there))
    if packed == zipfile.ZIP_STORED and there == 1 << 25:
        assert read_arrays(path)["a"].shape == shape  # it is all there
        return
    with pytest.raises(Damaged, match="claim"):
        read_arrays(path)


def test_json_is_read_from_files_of_a_sane_size_only(tmp_path):
    os.mkfifo(tmp_path / "pipe.json")
    with (tmp_path / "large.json").open("wb") as file:
        file.truncate(1 << 30)
    for name, reason in (("pipe.json", "no regular file"), ("large.json", "1024 MiB")):
        with pytest.raises(LmedgeError, match=reason):
            read_json(tmp_path / name, "a thing")


def test_an_output_file_is_not_overwritten_unasked(tmp_path):
    path = tmp_path / "new" / "a.png"
    claim_file(path, False)
    path.touch()
    with pytest.raises(UsageError, match="exists; add --overwrite"):
        claim_file(path, False)
    claim_file(path, True)
    with pytest.raises(UsageError, match="is a folder"):
        claim_file(tmp_path, True)


def test_numbers_of_a_list_stand_on_one_line_and_texts_as_they_are(tmp_path):
    value = {
        "numbers": [1, -2.5, 3e-07, 1e20],
        "rows": [[0.25, 2], []],
        "texts": ["a [\n 1,\n 2\n]", "b"],
        "no": [None],
    }
    write_json(tmp_path / "a.json", value)
    text = (tmp_path / "a.json").read_text()
    assert json.loads(text) == value and '"numbers": [1, -2.5, 3e-07, 1e+20],\n' in text and "    [0.25, 2],\n" in text
