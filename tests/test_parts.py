"""A long work of squares: what is made of it again after kills, damage, other work and larger wishes."""

import subprocess
import sys

import numpy as np
import pytest

from lmedge.parts import Part, PartStore, going_on, split, stretches
from lmedge.storage import Damaged

COLUMNS = {"made_of": (0, "i"), "at": (1, "i"), "squares": (1, "i")}


def store_in(folder, **options):
    return PartStore(folder / "parts", COLUMNS, folder / "parts" / "about.json", grows="made_of", **options)


def squares(store, parts, made):
    """Makes what is missing; `made` takes the keys."""
    for part in store.missing(parts):
        numbers = np.array(part.of(range(1000)))
        store.write(part, {"made_of": np.array(len(numbers)), "at": numbers, "squares": numbers**2})
        made.append(part.key)
    return np.concatenate([store.read(part)["squares"][: part.count] for part in parts])


def test_parts_cover_all_things_once():
    for count, size in ((0, 4), (3, 4), (4, 4), (9, 4)):
        parts = split(count, size)
        assert [thing for part in parts for thing in part.of(range(count))] == list(range(count))
        assert all(0 < part.count <= size for part in parts) and len(parts) == -(-count // size)


def test_parts_that_follow_each_other_are_together():
    parts = split(22, 4)
    some = [parts[i] for i in (0, 1, 3, 5)]
    assert stretches(some) == [parts[:2], parts[3:4], parts[5:]] and stretches([]) == []


def test_only_what_is_missing_is_made(tmp_path):
    store, made = store_in(tmp_path), []
    assert not store.files
    whole = squares(store, split(10, 4), made)
    assert (whole == np.arange(10) ** 2).all() and made == [0, 1, 2] and len(store.files) == 3
    store.file(split(10, 4)[1]).unlink()
    assert (squares(store, split(10, 4), made) == whole).all() and made[3:] == [1]


KILLED = """
import os, sys
from pathlib import Path
from tests.test_parts import split, squares, store_in

class Killed(list):
    def append(self, key):
        if key == 1:
            os._exit(9)

squares(store_in(Path(sys.argv[1])), split(10, 4), Killed())
"""


def test_a_kill_between_parts_loses_none_of_them(tmp_path):
    killed = subprocess.run([sys.executable, "-c", KILLED, tmp_path], check=False)
    assert killed.returncode == 9
    store, made = store_in(tmp_path), []
    kept = [store.file(part).stat().st_mtime_ns for part in split(10, 4)[:2]]
    assert (squares(store, split(10, 4), made) == np.arange(10) ** 2).all() and made == [2]
    assert [store.file(part).stat().st_mtime_ns for part in split(10, 4)[:2]] == kept
    assert sorted(path.name for path in store.folder.iterdir()) == [
        "part-00000.npz",
        "part-00001.npz",
        "part-00002.npz",
    ]


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(path.read_bytes()[:99]),
        lambda path: np.savez(path, made_of=4, squares=np.zeros(4, int)),
        lambda path: np.savez(path, made_of=4, at=np.zeros(4, int), squares=np.zeros((4, 1), int)),
        lambda path: np.savez(path, made_of=4, at=np.zeros(4, int), squares=np.zeros(3, int)),
        lambda path: np.savez(path, made_of=4, at=np.zeros(4, int), squares=np.zeros(4)),
        lambda path: np.savez(path, made_of=4, at=np.array(0), squares=np.zeros(4, int)),
    ],
)
def test_a_damaged_part_is_said_and_made_again(tmp_path, damage, capsys):
    store, made = store_in(tmp_path), []
    whole = squares(store, split(10, 4), made)
    damage(store.file(split(10, 4)[1]))
    with pytest.raises(Damaged, match=r"part-00001.npz is damaged \(.*\); delete it"):
        store.read(split(10, 4)[1])
    assert (squares(store, split(10, 4), made) == whole).all() and made[3:] == [1]
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1 and "part-00001.npz is damaged (" in said[0] and said[0].endswith("and made again")


def test_more_things_later_make_more_parts_and_the_last_one_again(tmp_path):
    store, made = store_in(tmp_path), []
    for count, wanted in ((6, [0, 1]), (3, []), (7, [1]), (12, [1, 2]), (8, [])):
        made.clear()
        assert (squares(store, split(count, 4), made) == np.arange(count) ** 2).all()
        assert made == wanted


def test_what_belongs_to_other_work_is_known_by_its_note(tmp_path):
    store, work = store_in(tmp_path), {"generator": "a", "part": 4}
    assert not store.other(work)
    store.begin(work)
    squares(store, split(10, 4), [])
    assert not store.other(work) and not store.other({**work, "later": 1})
    assert store.other({**work, "part": 5}) == {"part"}  # parts of two sizes do not fit together
    assert store.other({"part": 4}) == {"generator"}
    (store.folder / "of-somebody.txt").touch()
    store.note.unlink()
    assert store.other(work) == {"generator", "part"}  # whose are they?
    store.clear()
    assert [path.name for path in store.folder.iterdir()] == ["of-somebody.txt"] and not store.other(work)
    (store.folder / "of-somebody.txt").unlink()
    store.clear()
    assert not store.folder.exists()


def test_parts_may_have_names(tmp_path):
    store = PartStore(tmp_path / "named", {"error": (1, "f")})
    parts = [Part(name, i, 1) for i, name in enumerate(("real-8-0", "real-8-1"))]
    store.write(parts[1], {"error": np.ones(3)})
    assert [path.name for path in store.folder.iterdir()] == ["real-8-1.npz"]
    assert store.missing(parts) == parts[:1] and parts[0].of(["a", "b"]) == ["a"]


def test_who_goes_on_says_from_where(tmp_path, capsys):
    parts = split(10, 4)
    for missing, said in ((parts, ""), (parts[1:], "continuing here: 4 of 10 faces are there\n"), ([], "")):
        with going_on("test", "here", "faces", parts, missing) as advance:
            advance(sum(part.count for part in missing))
        told = capsys.readouterr().err
        assert told.startswith(f"{said}test: 10/10  ") if missing else told == "test: 10/10\n"  # no rate of nothing
