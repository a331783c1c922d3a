"""What faces are said to show: attributes such as Smiling, each 1 (yes), -1 (no), in between (how surely, where a
network said so) or NaN (nobody said). A set that is labelled in part is the normal case."""

import csv
import hashlib
import re
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmedge.attribute_names import check_names
from lmedge.errors import LmedgeError, UsageError
from lmedge.regular import read_regular

LARGEST_FILE = 1 << 28  # bytes: lines of millions of photos
EMPTY = 2
VALUES = {"1": 1, "+1": 1, "1.0": 1, "-1": -1, "-1.0": -1, "0": 0, "0.0": 0, "": EMPTY}
Values = tuple[float, ...]


@dataclass(frozen=True)
class AttributeTable:
    """A file of attributes: their `names`, and `values` int8 `[M, A]` (1, -1, 0 for unknown) of the photos in `rows`,
    by name; `file` and `sha256` say which file it was, `shown` how refusals call it."""

    names: tuple[str, ...]
    rows: dict[str, int]
    values: NDArray[np.int8]
    file: Path
    sha256: str
    shown: str

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
                f"{self.shown} names none of the {len(names)} photos: it has "
                f"{next(iter(self.rows))!r}, they have {names[0]!r}; take the file that belongs to them."
            )

    def facts(self) -> dict[str, Any]:
        """What dataset.json says before the faces are counted."""
        return {"names": list(self.names), "from": self.file.name, "sha256": self.sha256}


def read_attributes(path: Path, option: str = "--attributes ") -> AttributeTable:
    """A file in CelebA's format (a count, a line of names, then lines `photo 1 -1 ...`, 0 for unknown) or CSV (a line
    of names, whose first is that of the photos; 1 for yes, -1 or 0 for no, empty for unknown). Raises LmedgeError, with
    the line, for another form, UsageError for a folder. `option` stands before `path` in refusals."""
    option = f"{option}{path}"
    if path.is_dir():
        raise UsageError(f"{option} is a folder; name a file.")
    try:
        data = read_regular(path, LARGEST_FILE)
        lines = data.decode("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise LmedgeError(f"{option} cannot be read ({reason}); name a text file in UTF-8.") from None
    as_celeba = bool(lines) and re.fullmatch(r"\s*\d{1,12}\s*", lines[0], re.ASCII) is not None
    try:
        names, written = _celeba(lines) if as_celeba else _csv(lines, option)
        check_names(names, option)
        rows, values = _read(written, names, option)
    except csv.Error as error:
        raise LmedgeError(f"{option} is no CSV ({error}); mend it.") from None
    if as_celeba and len(rows) != int(lines[0]):
        raise LmedgeError(
            f"{option} says that it names {int(lines[0])} photos and names {len(rows)}; take a whole copy, or write "
            "into the first line how many there are."
        )
    if not rows:
        raise LmedgeError(f"{option} names no photo; expected CelebA's list_attr_celeba.txt or CSV.")
    return AttributeTable(
        names, rows, _meant(values, names, as_celeba, option), path, hashlib.sha256(data).hexdigest(), option
    )


Written = Iterator[tuple[int, str, list[str]]]  # number of the line, photo, values as they are written


def _celeba(lines: list[str]) -> tuple[tuple[str, ...], Written]:
    names = tuple(lines[1].split()) if len(lines) > 1 else ()
    split = ((number, line.split()) for number, line in enumerate(lines[2:], 3))
    return names, ((number, words[0], words[1:]) for number, words in split if words)


def _csv(lines: list[str], option: str) -> tuple[tuple[str, ...], Written]:
    reader = csv.reader(lines)
    head = next(reader, [])
    if len(head) < 2:
        raise LmedgeError(
            f"{option} is neither CelebA's list_attr_celeba.txt nor CSV: its first line is {(lines or [''])[0]!r:.80}, "
            "and should be `file,Smiling,...`."
        )
    rows = ((reader.line_num, row[0].strip(), [cell.strip() for cell in row[1:]]) for row in reader if row)
    return tuple(name.strip() for name in head[1:]), rows


def _read(written: Written, names: Sequence[str], option: str) -> tuple[dict[str, int], NDArray[np.int8]]:
    """The row of each photo, and the values `[M, A]` as they are written: 1, -1, 0 or EMPTY."""
    rows: dict[str, int] = {}
    values = array("b")  # of millions of photos: a byte each
    for number, photo, cells in written:
        where = f"{option}, line {number}"
        if len(cells) != len(names):
            raise LmedgeError(f"{where} has {len(cells)} values for {len(names)} attributes; mend it.")
        if photo in rows:
            raise LmedgeError(f"{where}: {photo!r} stands there twice; leave one of them.")
        rows[photo] = len(rows)
        try:
            values.extend([VALUES[cell] for cell in cells])
        except KeyError:
            name, cell = next(pair for pair in zip(names, cells, strict=True) if pair[1] not in VALUES)
            raise LmedgeError(f"{where}: {name} is {cell!r:.40}, not 1, -1, 0 or empty.") from None
    return rows, np.array(values, np.int8).reshape(-1, len(names))


def _meant(written: NDArray[np.int8], names: Sequence[str], as_celeba: bool, option: str) -> NDArray[np.int8]:
    """1, -1 and 0 (unknown) `[M, A]`. A written 0 is no, but in CelebA's format beside -1, where nothing else can say
    that a value is unknown."""
    zeros, minus = written == 0, written == -1
    if as_celeba and minus.any():
        return written
    for name, unclear in zip(names, zeros.any(axis=0) & minus.any(axis=0), strict=True):
        if unclear:
            raise LmedgeError(f"{option}: {name} has both 0 and -1; write -1 for no, and nothing for unknown.")
    return np.select([zeros, written == EMPTY], [-1, 0], written).astype(np.int8)


def counted(values: NDArray[np.float32]) -> dict[str, Any]:
    """What dataset.json says of the values `[N, A]` of its faces: how many are `labelled`, at least in part, and how
    many have `yes` and `no` by attribute."""
    return {
        "labelled": int((~np.isnan(values)).any(axis=1).sum()),
        "yes": (values > 0).sum(axis=0).tolist(),
        "no": (values < 0).sum(axis=0).tolist(),
    }
