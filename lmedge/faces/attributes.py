"""What faces are said to show: attributes such as Smiling, each 1 (yes), -1 (no), in between (how surely, where a
network said so) or NaN (nobody said). A set that is labelled in part is the normal case."""

import csv
import hashlib
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmedge.errors import LmedgeError, UsageError
from lmedge.regular import read_regular

LARGEST_FILE = 1 << 28  # bytes: lines of millions of photos
MOST_ATTRIBUTES = 256
# A name is written on command lines and in pictures: no `=`, no comma, no control character.
NAME = re.compile(r"\w[\w .+-]{0,63}")
VALUES = {"1": 1, "+1": 1, "1.0": 1, "-1": -1, "-1.0": -1, "0": 0, "0.0": 0}
EMPTY = 2
Values = tuple[float, ...]


@dataclass(frozen=True)
class AttributeTable:
    """A file of attributes: their `names`, and `values` int8 `[M, A]` (1, -1, 0 for unknown) of the photos in `rows`,
    by name; `file` and `sha256` say which file it was."""

    names: tuple[str, ...]
    rows: dict[str, int]
    values: NDArray[np.int8]
    file: Path
    sha256: str

    def of(self, photo: str) -> Values:
        """The values of a photo by its name in the dataset, or by its file name alone; NaN for one that is absent."""
        row = self.rows.get(photo, self.rows.get(photo.rpartition("/")[2]))
        if row is None:
            return (float("nan"),) * len(self.names)
        return tuple(float(value) or float("nan") for value in self.values[row].tolist())

    def refuse_strangers(self, photos: Iterable[str]) -> None:
        """Raises UsageError where the file names none of these photos."""
        names = list(photos)
        if not any(name in self.rows or name.rpartition("/")[2] in self.rows for name in names):
            raise UsageError(
                f"--attributes {self.file} names none of the {len(names)} photos: it has "
                f"{next(iter(self.rows))!r}, they have {names[0]!r}; take the file that belongs to them."
            )

    def facts(self) -> dict[str, Any]:
        """What dataset.json says before the faces are counted."""
        return {"names": list(self.names), "from": self.file.name, "sha256": self.sha256}


def read_attributes(path: Path) -> AttributeTable:
    """A file in CelebA's format (a count, a line of names, then lines `photo 1 -1 ...`, 0 for unknown) or CSV (a line
    of names, whose first is that of the photos; 1 for yes, -1 or 0 for no, empty for unknown). Raises LmedgeError, with
    the line, for another form."""
    try:
        data = read_regular(path, LARGEST_FILE)
        lines = data.decode("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise LmedgeError(f"--attributes {path} cannot be read ({error}).") from None
    as_celeba = bool(lines) and re.fullmatch(r"\s*\d+\s*", lines[0], re.ASCII) is not None
    names, cells = _celeba(path, lines) if as_celeba else _csv(path, lines)
    check_names(names, f"--attributes {path}")
    rows: dict[str, int] = {}
    for number, photo, values in cells:
        where = f"--attributes {path}, line {number}"
        if len(values) != len(names):
            raise LmedgeError(f"{where} has {len(values)} values for {len(names)} attributes; mend it.")
        if photo in rows:
            raise LmedgeError(f"{where}: {photo!r} stands there twice; leave one of them.")
        rows[photo] = len(rows)
        for name, value in zip(names, values, strict=True):
            if value and value not in VALUES:
                raise LmedgeError(f"{where}: {name} is {value!r:.40}, not 1, -1, 0 or empty.")
    if not rows:
        raise LmedgeError(f"--attributes {path} names no photo; expected CelebA's list_attr_celeba.txt or CSV.")
    meant = _meant(path, names, [values for _, _, values in cells], as_celeba)
    return AttributeTable(names, rows, meant, path, hashlib.sha256(data).hexdigest())


Cells = list[tuple[int, str, list[str]]]  # number of the line, photo, values as they are written


def _celeba(path: Path, lines: list[str]) -> tuple[tuple[str, ...], Cells]:
    names = tuple(lines[1].split()) if len(lines) > 1 else ()
    cells: Cells = []
    for number, line in enumerate(lines[2:], 3):
        if words := line.split():
            cells.append((number, words[0], words[1:]))
    if len(cells) != int(lines[0]):
        raise LmedgeError(
            f"--attributes {path} says that it names {int(lines[0])} photos and names {len(cells)}; take a whole copy, "
            "or write into the first line how many there are."
        )
    return names, cells


def _csv(path: Path, lines: list[str]) -> tuple[tuple[str, ...], Cells]:
    reader = csv.reader(io.StringIO("\n".join(lines)))
    try:
        head = next(reader, [])
        if len(head) < 2:
            raise LmedgeError(
                f"--attributes {path} is neither CelebA's list_attr_celeba.txt nor CSV: its first line is "
                f"{(lines or [''])[0]!r:.80}, and should be `file,Smiling,...`."
            )
        cells = [(reader.line_num, row[0].strip(), [cell.strip() for cell in row[1:]]) for row in reader if row]
    except csv.Error as error:
        raise LmedgeError(f"--attributes {path} is no CSV ({error}); mend it.") from None
    return tuple(name.strip() for name in head[1:]), cells


def _meant(path: Path, names: Sequence[str], written: list[list[str]], as_celeba: bool) -> NDArray[np.int8]:
    """1, -1 and 0 (unknown) `[M, A]`. A written 0 is no, but in CelebA's format beside -1, where nothing else can say
    that a value is unknown."""
    values = np.array([[EMPTY if cell == "" else VALUES[cell] for cell in row] for row in written], np.int8)
    zeros, minus = values == 0, values == -1
    if as_celeba and minus.any():
        return values
    for name, unclear in zip(names, zeros.any(axis=0) & minus.any(axis=0), strict=True):
        if unclear:
            raise LmedgeError(
                f"--attributes {path}: {name} has both 0 and -1; write -1 for no, and nothing for unknown."
            )
    return np.select([zeros, values == EMPTY], [-1, 0], values).astype(np.int8)


def check_names(names: Sequence[Any], where: str) -> None:
    """Raises LmedgeError for names of attributes that are none, of `where` they stand."""
    if not 0 < len(names) <= MOST_ATTRIBUTES:
        raise LmedgeError(f"{where} has {len(names)} attributes; take 1 to {MOST_ATTRIBUTES}.")
    for name in names:
        if not isinstance(name, str) or not NAME.fullmatch(name):
            raise LmedgeError(f"{where} has {name!r:.80} for the name of an attribute; take letters, digits and _.")
    if len(set(names)) < len(names):
        twice = next(name for name in names if list(names).count(name) > 1)
        raise LmedgeError(f"{where} has the attribute {twice!r} twice; leave one of them.")


def counted(values: NDArray[np.float32]) -> dict[str, Any]:
    """What dataset.json says of the values `[N, A]` of its faces: how many are `labelled`, at least in part, and how
    many have `yes` and `no` by attribute."""
    return {
        "labelled": int((~np.isnan(values)).any(axis=1).sum()),
        "yes": (values > 0).sum(axis=0).tolist(),
        "no": (values < 0).sum(axis=0).tolist(),
    }
