"""What a format of labelled faces is, and what several of them do."""

import csv
import importlib.util
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from lmedge.datasets.stream import Samples
from lmedge.scheme import Scheme
from lmedge.storage import replacing, write_files

PART_FACES = 1024  # what a kill can lose, and the faces of a shard
Labels = Callable[[], Iterator[Samples]]  # the labels of the whole set, a part at a time, without pictures


@dataclass(frozen=True)
class Shape:
    """What all faces of a set have in common. `count` faces of `width` x `height` pixels; `about`, the facts of the
    card; the names of their `attributes`, none where nobody looked; points of less confidence than `least_sure` are
    hidden, where a format can say so."""

    count: int
    width: int
    height: int
    scheme: Scheme
    about: dict[str, Any]
    attributes: tuple[str, ...] = ()
    least_sure: float = 0.0


class Format(ABC):
    """`part` writes the files of faces `first` to `first + len(samples)`, a whole part but for the last; `finish` what
    goes beside them. `bytes_per_face` is what one of them takes on a disk with blocks of `block` bytes, and
    `files_per_face` how many files. `files` are patterns of what it writes at the top of the folder; `needs` are the
    modules that write it; `has_visibility`: can it say that a point is hidden?"""

    name: ClassVar[str]
    needs: ClassVar[tuple[str, ...]] = ("fpng",)
    files: ClassVar[tuple[str, ...]]
    files_per_face: ClassVar[int] = 0
    has_visibility: ClassVar[bool] = False

    @abstractmethod
    def part(self, out: Path, first: int, samples: Samples, shape: Shape) -> None: ...

    def finish(self, out: Path, labels: Labels, shape: Shape) -> None:
        """What the files of a face have no place for: confidence.csv and attributes.csv, where there is such."""
        names = shape.scheme.names
        if columns := list(next(labels()).confidences(names)):
            sure = (np.column_stack(list(part.confidences(names).values())) for part in labels())
            _table(out / "confidence.csv", columns, sure)
        if shape.attributes:
            _table(out / "attributes.csv", shape.attributes, (part.attributes for part in labels()))

    @abstractmethod
    def bytes_per_face(self, png: float, points: int, block: int) -> float: ...

    def check(self, shape: Shape) -> None:  # noqa: B027, as most hold any
        """Raises UsageError for faces that the format cannot hold."""

    @classmethod
    def missing(cls) -> list[str]:
        """The modules that it needs and that are not installed."""
        return [module for module in cls.needs if importlib.util.find_spec(module) is None]


def _table(path: Path, names: Iterable[str], parts: Iterable[NDArray[np.float32] | None]) -> None:
    """A line for each face, with its numbers `[N]` or `[N, A]`."""
    with replacing(path) as beside, beside.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["face", *names])
        number = 0
        for part in parts:
            assert part is not None
            for numbers in part.reshape(len(part), -1).tolist():
                writer.writerow([stem(number), *(f"{value:.4f}" for value in numbers)])
                number += 1


def attributes_of(samples: Samples, i: int, shape: Shape) -> dict[str, float]:
    """The attributes of face i of some, by name; nothing where nobody looked."""
    if samples.attributes is None:
        return {}
    return {name: round(value, 4) for name, value in zip(shape.attributes, samples.attributes[i].tolist(), strict=True)}


def stem(number: int) -> str:
    """`000123`, the name of face 123 in every format."""
    return f"{number:06}"


def decimals(sure: NDArray[np.float32]) -> list[float]:
    """Confidences as JSON has them."""
    return [round(float(value), 4) for value in sure]


def part_of(first: int) -> int:
    """The number of the part that begins with face `first`."""
    return first // PART_FACES


def parts_of(count: int) -> int:
    """How many parts `count` faces are."""
    return -(-count // PART_FACES)


def on_disk(size: float, block: int) -> float:
    """Bytes that a file of `size` takes on a disk with blocks of `block` bytes."""
    return -(-size // block) * block


def write_images(folder: Path, first: int, samples: Samples) -> None:
    """000000.png and on, in a folder that may be absent."""
    write_files(folder, {f"{stem(number)}.png": png for number, png in enumerate(samples.pngs, first)})
