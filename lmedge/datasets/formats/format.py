"""What a format of labelled faces is, and what several of them do."""

import csv
import importlib.util
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from lmedge.datasets.stream import Samples
from lmedge.scheme import Scheme
from lmedge.storage import replacing

PART_FACES = 1024  # what a kill can lose, and the faces of a shard
Labels = Callable[[], Iterator[Samples]]  # the labels of the whole set, a part at a time, without pictures


@dataclass(frozen=True)
class Shape:
    """What all faces of a set have in common. `count` faces of `width` x `height` pixels; `about`, the facts of the
    card."""

    count: int
    width: int
    height: int
    scheme: Scheme
    about: dict[str, Any]


class Format(ABC):
    """`part` writes the files of faces `first` to `first + len(samples)`, a whole part but for the last; `finish` what
    goes beside them. `bytes_per_face` is what one of them takes on a disk with blocks of `block` bytes, and
    `files_per_face` how many files. `files` are patterns of what it writes at the top of the folder; `needs` are the
    modules that write it."""

    name: ClassVar[str]
    needs: ClassVar[tuple[str, ...]] = ("fpng",)
    files: ClassVar[tuple[str, ...]]
    files_per_face: ClassVar[int] = 0

    @abstractmethod
    def part(self, out: Path, first: int, samples: Samples, shape: Shape) -> None: ...

    def finish(self, out: Path, labels: Labels, shape: Shape) -> None:
        """What the files of a face have no place for: confidence.csv, where there is one."""
        if next(labels()).confidence is None:
            return
        with replacing(out / "confidence.csv") as beside, beside.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["face", "confidence"])
            number = 0
            for samples in labels():
                for sure in [] if samples.confidence is None else samples.confidence.tolist():
                    writer.writerow([stem(number), f"{sure:.4f}"])
                    number += 1

    @abstractmethod
    def bytes_per_face(self, png: float, points: int, block: int) -> float: ...

    def check(self, shape: Shape) -> None:  # noqa: B027, as most hold any
        """Raises UsageError for faces that the format cannot hold."""

    @classmethod
    def missing(cls) -> list[str]:
        """The modules that it needs and that are not installed."""
        return [module for module in cls.needs if importlib.util.find_spec(module) is None]


def stem(number: int) -> str:
    """`000123`, the name of face 123 in every format."""
    return f"{number:06}"


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
    folder.mkdir(exist_ok=True)
    for number, png in enumerate(samples.pngs, first):
        (folder / f"{stem(number)}.png").write_bytes(png)
