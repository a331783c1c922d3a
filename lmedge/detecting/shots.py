"""The pictures in which faces are looked for: photos, and the frames of a video or camera."""

import math
import re
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import cv2
import numpy as np

from lmedge.affine import Image8
from lmedge.errors import LmedgeError, Rejected, UsageError
from lmedge.faces.decoding import SUFFIXES
from lmedge.faces.photo import read_photo
from lmedge.faces.sources import find_photos
from lmedge.landmarks import Array
from lmedge.quiet import native_stderr_off

VIDEOS = frozenset((".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".3gp", ".wmv", ".ogv"))
CAMERA_FRAMES = 300
RATE, MOST_RATE = 25.0, 1000.0  # frames a second, where a video says none; more are none


@dataclass(frozen=True)
class Shot:
    """`pixels` upright RGB `[H, W, 3]`; `name` of the photo, or `frame-000012`; `scale`, pixels here for each pixel of
    the stored photo; `seconds` since the first frame, None of a photo."""

    name: str
    pixels: Image8
    scale: tuple[float, float] = (1.0, 1.0)
    seconds: float | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the stored, upright picture."""
        height, width = self.pixels.shape[:2]
        return round(width / self.scale[0]), round(height / self.scale[1])

    def stored(self, points: Array) -> Array:
        """Points `[..., 2]` in pixels of the stored picture."""
        return ((points + 0.5) / self.scale - 0.5).astype(np.float32)


class Photos:
    """The photos at a place."""

    unit = "photos"
    unread = 0

    def __init__(self, place: Path):
        self._sources = find_photos((place,), None)
        self.total = len(self._sources)

    def __iter__(self) -> Iterator[Shot | tuple[str, str]]:
        """Each, or (name, reason) of one that cannot be read. Raises LmedgeError where they went away."""
        for source in self._sources:
            try:
                photo = read_photo(source.path)
            except Rejected as reason:
                yield source.name, str(reason)
            else:
                yield Shot(source.name, photo.pixels, photo.scale)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...


class Frames:
    """The frames of a video, or of a camera by its number; `unread`, how many of a video's were missing at its end.
    Raises LmedgeError where it cannot be read."""

    unit = "frames"

    def __init__(self, what: Path | int, most: int | None):
        self.is_camera = isinstance(what, int)
        self.unread = 0
        if isinstance(what, Path) and _is_text(what):
            raise LmedgeError(f"{what} is a text and no video; a list of videos is not followed, name one of them.")
        with native_stderr_off():
            self._capture: Any = cv2.VideoCapture(what if isinstance(what, int) else str(what))
        if not self._capture.isOpened():
            raise LmedgeError(
                f"camera {what} is not there, or another program has it; camera:1 is the second one."
                if self.is_camera
                else f"{what} is no video that OpenCV can read; convert it to H.264 in an .mp4 file."
            )
        said = float(self._capture.get(cv2.CAP_PROP_FPS))
        self.rate = said if 0 < said <= MOST_RATE else RATE  # nan too
        there = float(self._capture.get(cv2.CAP_PROP_FRAME_COUNT))  # about; nothing sensible of a camera
        most = CAMERA_FRAMES if self.is_camera and most is None else most
        self._most = math.inf if most is None else most
        self.total = min([int(count) for count in (most or 0, there) if 0 < count < math.inf], default=0)

    def __iter__(self) -> Iterator[Shot]:
        number = 0
        while number < self._most:
            # FFmpeg tells of each damaged frame. What is said when a camera is stopped, as it is read, shall be seen.
            with nullcontext() if self.is_camera else native_stderr_off():
                there, frame = self._capture.read()
            if not there:
                self.unread = 0 if self.is_camera else max(0, self.total - number)
                return
            pixels = cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
            yield Shot(f"frame-{number:06}", pixels, seconds=number / self.rate)
            number += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._capture.release()


def _is_text(path: Path) -> bool:
    """Does a file begin as a text? FFmpeg takes some for lists of other files, or of addresses. A film that begins with
    so many letters is not known: its sizes have zeros."""
    with path.open("rb") as file:
        head = file.read(20)
    lists = head.lstrip().startswith((b"ffconcat", b"#EXTM3U"))
    return lists or (bool(head) and all(byte >= 32 or byte in b"\t\r\n" for byte in head))


def shots_of(source: Path, frames: int | None) -> Photos | Frames:
    """What `source` is. Raises UsageError for something else, LmedgeError for a video or camera that does not open."""
    if not source.exists() and (camera := re.fullmatch(r"camera(?::(\d{1,2}))?", str(source))):
        return Frames(int(camera[1] or 0), frames)
    if source.is_file() and source.suffix.lower() in VIDEOS:
        return Frames(source, frames)
    if frames is not None:
        raise UsageError(f"--frames {frames} is for videos and cameras, and {source} is none.")
    if source.is_file() and source.suffix.lower() not in SUFFIXES:
        raise UsageError(
            f"{source} is neither a photo ({' '.join(sorted(SUFFIXES))}) nor a video ({' '.join(sorted(VIDEOS))})."
        )
    return Photos(source)
