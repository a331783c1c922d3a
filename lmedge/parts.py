"""Parts of a long work, so that a kill loses one of them and the same command goes on. Parts are written by the process
that began the work, whoever made what is in them, or by workers on other machines, each in one step."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from lmedge.progress import console, progress
from lmedge.storage import Damaged, read_arrays, read_json, write_arrays, write_json
from lmedge.url import Url

Columns = Mapping[str, tuple[int, str]]  # array of a part -> its dimensions, kinds of its dtype


@dataclass(frozen=True)
class Part:
    """Things `first` to `first + count` of a work; `key` names its file."""

    key: int | str
    first: int
    count: int

    def of(self, things: Any) -> Any:
        """Those of the part among all things of the work: a list, a range, an array `[N, ...]`."""
        return things[self.first : self.first + self.count]


def split(count: int, size: int) -> list[Part]:
    """`count` things in parts of `size`, numbered."""
    return [Part(number, first, min(size, count - first)) for number, first in enumerate(range(0, count, size))]


def stretches(parts: Sequence[Part]) -> list[list[Part]]:
    """Parts that follow each other, together."""
    found: list[list[Part]] = []
    for part in parts:
        if found and found[-1][-1].first + found[-1][-1].count == part.first:
            found[-1].append(part)
        else:
            found.append([part])
    return found


@dataclass(frozen=True)
class PartStore:
    """Parts in a folder, here or in an object store, each an .npz file that is whole or absent, in whatever order they
    are made.

    `columns` are arrays that every part has; those with rows have the same number of them. `note` is a JSON file that
    says which work they belong to, where the folder may hold another's. `grows` names the array that says how many
    things were there to make a part of, where later calls bring more. `rows` is how many every part has, where that
    is known.
    """

    folder: Path
    columns: Columns
    note: Path | None = None
    grows: str | None = None
    rows: int | None = None

    def file(self, part: Part) -> Path:
        """`part-00003.npz`, or the key of the part where that is a name."""
        return self.folder / (f"{part.key}.npz" if isinstance(part.key, str) else f"part-{part.key:05}.npz")

    @property
    def files(self) -> list[Path]:
        """The numbered parts that are there, whole or damaged, in their order."""
        return sorted(self.folder.glob("part-*.npz"))

    def write(self, part: Part, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Writes a part in one step. What else belongs to it is written before: the part says that all of it is
        there."""
        self.folder.mkdir(exist_ok=True)
        write_arrays(self.file(part), arrays)

    def read(self, part: Part) -> dict[str, NDArray[Any]]:
        """The arrays of a part. Raises Damaged, also where it is absent."""
        return self.arrays(self.file(part))

    def arrays(self, path: Path) -> dict[str, NDArray[Any]]:
        """The arrays of the part in the file `path`. Raises Damaged, also where it is absent."""
        arrays = read_arrays(path, self.columns)
        rows = {len(arrays[name]) for name, (dimensions, _) in self.columns.items() if dimensions and arrays[name].ndim}
        if (
            len(rows) > 1
            or (self.rows is not None and rows != {self.rows})
            or any(
                arrays[name].ndim != dimensions or arrays[name].dtype.kind not in kinds
                for name, (dimensions, kinds) in self.columns.items()
            )
        ):
            raise Damaged.file(path, "arrays of another shape")
        return arrays

    def missing(self, parts: Sequence[Part]) -> list[Part]:
        """The parts that are to be made. One that is damaged is among them, which is said."""
        there = set(self.folder.glob("*.npz"))
        return [part for part in parts if self.file(part) not in there or not self._whole(part)]

    def _whole(self, part: Part) -> bool:
        if isinstance(self.folder, Url) and self.grows is None:
            return True  # an object is whole or absent, and to fetch each of many takes minutes
        try:
            arrays = self.read(part)
        except Damaged as error:
            console.print(f"{self.file(part)} is damaged ({error.reason}) and made again")
            return False
        return self.grows is None or int(arrays[self.grows]) >= part.count

    def other(self, work: Mapping[str, Any]) -> set[str]:
        """Names of the facts, JSON values, in which the work that the folder is of differs from `work`; none where it
        holds no part. What an older note does not say is no difference."""
        assert self.note is not None
        if not self.note.exists():
            return set(work) if self.files else set()
        noted = read_json(self.note, "a folder of parts")
        return {name for name in noted if noted[name] != work.get(name)}

    def begin(self, work: Mapping[str, Any]) -> None:
        """Notes that the parts belong to `work`."""
        assert self.note is not None
        self.folder.mkdir(exist_ok=True)
        write_json(self.note, dict(work))

    def clear(self) -> None:
        """Deletes all numbered parts and the note, and the folder if it is empty then."""
        for path in (*self.files, *([self.note] if self.note else [])):
            path.unlink(missing_ok=True)
        if not isinstance(self.folder, Url) and self.folder.exists() and not any(self.folder.iterdir()):
            self.folder.rmdir()


def going_on(
    label: str, place: Path, unit: str, parts: Sequence[Part], missing: Sequence[Part]
) -> AbstractContextManager[Callable[..., None]]:
    """Progress over all things of a work whose `missing` parts are made now; says where it goes on in `place`."""
    total, left = (sum(part.count for part in some) for some in (parts, missing))
    if 0 < left < total:
        console.print(f"continuing {place}: {total - left} of {total} {unit} are there")
    return progress(label, total, unit, total - left)
