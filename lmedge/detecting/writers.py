"""What is found, as files: .pts, CSV or JSON, and the pictures with landmarks drawn on them."""

import csv
import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

import cv2
import numpy as np
from PIL import Image, ImageDraw

from lmedge.affine import Image8
from lmedge.detecting.finder import Found
from lmedge.detecting.shots import Shot
from lmedge.errors import LmedgeError
from lmedge.landmarks import write_pts
from lmedge.manifest import HIDDEN
from lmedge.pictures import mark, write_picture
from lmedge.scheme import Scheme
from lmedge.storage import write_bytes

DRAWN, VIDEO, SKIPPED = "drawn", "drawn.mp4", "skipped.csv"
FILES = (DRAWN, VIDEO, SKIPPED, "landmarks.csv", "landmarks.json", "*.pts")
DECIMALS = 3
DOT = 1 / 100  # radius of a landmark, of the face's box


class Names:
    """Files for photos, below a folder: `a.pts` for `a.jpg`, and `a-2.pts` for whatever comes by that name again, be it
    a file or a folder, or by a name that is `taken`."""

    def __init__(self, folder: Path, suffix: str, taken: Sequence[str] = ()):
        self._folder, self._suffix = folder, suffix
        self._files = {folder / name for name in taken}
        self._folders: set[Path] = set()

    def next(self, name: str) -> Path:
        photo, folder = PurePosixPath(name), self._folder
        for part in photo.parent.parts:
            folder = _free(folder, part, "", self._files)
            self._folders.add(folder)
        path = _free(folder, photo.stem, self._suffix, self._files, self._folders)  # the stem of `..jpg` is a dot
        self._files.add(path)
        folder.mkdir(parents=True, exist_ok=True)
        return path


def _free(folder: Path, stem: str, suffix: str, *taken: set[Path]) -> Path:
    """The first of `stem`, `stem-2`, ... that is not taken."""
    path, number = folder / f"{stem}{suffix}", 1
    while any(path in some for some in taken):
        number += 1
        path = folder / f"{stem}-{number}{suffix}"
    return path


class Sink(Protocol):
    """Takes what is found, picture by picture, in pixels of what was looked at."""

    def add(self, shot: Shot, faces: Sequence[Found]) -> None: ...

    def finish(self) -> None:
        """After the last one."""
        ...


class PtsFiles:
    """A .pts file for each face."""

    def __init__(self, folder: Path, scheme: Scheme):
        self._names = Names(folder, ".pts", (SKIPPED, *HIDDEN))

    def add(self, shot: Shot, faces: Sequence[Found]) -> None:
        for face in faces:
            write_pts(self._names.next(shot.name), shot.stored(face.landmarks))

    def finish(self) -> None: ...


class CsvTable:
    """landmarks.csv: file, seconds (of a frame), number of the face, its box, x and y of each point."""

    def __init__(self, folder: Path, scheme: Scheme):
        self._file, self._table = folder / "landmarks.csv", io.StringIO()
        self._writer = csv.writer(self._table, lineterminator="\n")
        box = (f"box_{part}" for part in ("x", "y", "width", "height"))
        self._writer.writerow(
            ["file", "seconds", "face", *box, *(f"{name}_{axis}" for name in scheme.names for axis in "xy")]
        )

    def add(self, shot: Shot, faces: Sequence[Found]) -> None:
        seconds = "" if shot.seconds is None else f"{shot.seconds:.{DECIMALS}f}"
        for number, face in enumerate(faces, 1):
            numbers = (*_stored_box(shot, face), *shot.stored(face.landmarks).ravel().tolist())
            self._writer.writerow([shot.name, seconds, number, *(f"{value:.{DECIMALS}f}" for value in numbers)])

    def finish(self) -> None:
        write_bytes(self._file, self._table.getvalue().encode("utf-8", "replace"))


class JsonFile:
    """landmarks.json: the scheme, and of each picture its size and faces."""

    def __init__(self, folder: Path, scheme: Scheme):
        self._file, self._scheme = folder / "landmarks.json", scheme
        self._pictures: list[dict[str, Any]] = []

    def add(self, shot: Shot, faces: Sequence[Found]) -> None:
        when = {} if shot.seconds is None else {"seconds": round(shot.seconds, DECIMALS)}
        found = [
            {
                "box": [round(value, DECIMALS) for value in _stored_box(shot, face)],
                "landmarks": np.round(shot.stored(face.landmarks).astype(float), DECIMALS).tolist(),
            }
            for face in faces
        ]
        width, height = shot.size
        self._pictures.append({"file": shot.name, **when, "width": width, "height": height, "faces": found})

    def finish(self) -> None:
        # A picture a line: indented, every coordinate would have its own.
        pictures = ",\n".join(map(json.dumps, self._pictures))
        scheme = json.dumps(self._scheme.to_json())
        write_bytes(self._file, f'{{"scheme": {scheme},\n"pictures": [\n{pictures}\n]}}\n'.encode())


WRITERS: dict[str, Callable[[Path, Scheme], Sink]] = {
    "pts": PtsFiles,
    "csv": CsvTable,
    "json": JsonFile,
}


def _stored_box(shot: Shot, face: Found) -> list[float]:
    return (np.array(face.box).reshape(2, 2) / shot.scale).ravel().tolist()


def drawn_on(pixels: Image8, faces: Sequence[Found], scheme: Scheme) -> Image8:
    """The picture with boxes, landmarks and the curves through them."""
    picture = Image.fromarray(pixels)
    draw = ImageDraw.Draw(picture)
    for face in faces:
        x, y, width, height = face.box
        radius = max(1.0, DOT * width)
        line = max(1, round(radius / 2))
        draw.rectangle((x, y, x + width, y + height), outline=(255, 255, 255), width=line)
        mark(draw, face.landmarks, scheme, radius, line)
    return np.asarray(picture)


class DrawnPhotos:
    """OUT/drawn: a JPEG for each photo."""

    def __init__(self, folder: Path, scheme: Scheme):
        self._names, self._scheme = Names(folder / DRAWN, ".jpg"), scheme

    def add(self, shot: Shot, faces: Sequence[Found]) -> None:
        write_picture(self._names.next(shot.name), drawn_on(shot.pixels, faces, self._scheme))

    def finish(self) -> None: ...


class DrawnVideo:
    """OUT/drawn.mp4 with every frame, `rate` of them a second."""

    def __init__(self, folder: Path, scheme: Scheme, rate: float):
        self._file, self._scheme, self._rate = folder / VIDEO, scheme, rate
        self._writer: Any = None

    def add(self, shot: Shot, faces: Sequence[Found]) -> None:
        """Raises LmedgeError where OpenCV has no encoder."""
        if self._writer is None:
            code = cv2.VideoWriter_fourcc(*"mp4v")  # type: ignore[attr-defined]
            self._writer = cv2.VideoWriter(str(self._file), code, self._rate, shot.pixels.shape[1::-1])
            if not self._writer.isOpened():
                raise LmedgeError("this OpenCV cannot write videos; add --no-draw.")
        self._writer.write(cv2.cvtColor(drawn_on(shot.pixels, faces, self._scheme), cv2.COLOR_RGB2BGR))

    def finish(self) -> None:
        if self._writer is not None:
            self._writer.release()
