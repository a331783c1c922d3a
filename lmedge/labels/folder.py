"""Labels on disk: generated faces, their latents, and the points that people have placed on them. Every change is whole
on the disk before it is answered.

    labels.json         which generator drew the faces, how large they are, and the landmark scheme
    scheme.json         that scheme again, as options take it
    latents.npz         z of every face, so that it can be drawn again
    images/000000.png   a face; 000000.pts beside it once all of its points are placed
    annotations.json    COCO key points with visibility, also of faces of which a part is placed
"""

import io
import json
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lmedge import __version__
from lmedge.coco import DECIMALS, NOT_PLACED, VISIBLE, annotation, category
from lmedge.errors import LmedgeError, UsageError
from lmedge.labels.coco_file import read_coco
from lmedge.landmarks import pts_text
from lmedge.latent import Latents
from lmedge.manifest import visible
from lmedge.owner import make_folder, owning
from lmedge.runtime.face_model import FaceModel
from lmedge.scheme import Scheme
from lmedge.storage import Damaged, read_arrays, read_json, write_arrays, write_bytes, write_json

SCHEMA = 1
SCHEME_FILE = "scheme.json"
VERSION_DIGITS = 12  # of the SHA-256 of a generator, as face models have it
ABOUT_FILE, LATENTS_FILE, ANNOTATIONS_FILE, IMAGES = "labels.json", "latents.npz", "annotations.json", "images"
ABOUT_FORM = {"schema": int, "generator": str, "width": int, "height": int, "latent": int, "scheme": dict}
WHAT = "labels of `lmedge label`"
MOST_FACES = 10_000


@dataclass(frozen=True)
class Placed:
    """A point as it stands: x and y in pixels of the face, and COCO's visibility; one that is not placed stands at 0, 0
    and has visibility 0."""

    x: float = 0.0
    y: float = 0.0
    visibility: int = NOT_PLACED

    def rounded(self) -> "Placed":
        """As files have it."""
        if self.visibility == NOT_PLACED:
            return Placed()
        return Placed(round(float(self.x), DECIMALS), round(float(self.y), DECIMALS), self.visibility)


class Meanwhile(LmedgeError):
    """Somebody else has moved the point since it was looked at; `now` it stands there."""

    def __init__(self, sentence: str, now: Placed):
        super().__init__(sentence)
        self.now = now


class LabelFolder:
    """Labels that are open. `z` `[N, Z]`; `points` `[N, K, 2]` in pixels, 0 where `visibility` `[N, K]` (COCO's) is 0.
    `name`, a random one, is that of these labels alone; "" where older ones have none.

    Several threads may ask at once. `owned` keeps other processes away.
    """

    def __init__(self, path: Path, about: dict[str, Any], scheme: Scheme, z: Latents):
        self.path, self.scheme, self.z = path, scheme, z
        self.generator, self.width, self.height = about["generator"], about["width"], about["height"]
        self.name = str(about.get("name", ""))
        self.points = np.zeros((len(z), scheme.count, 2))
        self.visibility = np.zeros((len(z), scheme.count), np.int64)
        self._lock = threading.RLock()
        self._seen: tuple[int, int] | None = None

    @classmethod
    def create(cls, path: Path, model: FaceModel, scheme: Scheme) -> "LabelFolder":
        """Labels without a face, in a folder that is absent or empty. Raises UsageError for another one."""
        if path.exists() and not _only_begun(path):
            raise UsageError(f"--out {path} holds other things and no {ABOUT_FILE}; name another folder.")
        if not model.version:
            raise UsageError("a model of which nothing says which generator it is cannot be labelled; export its run.")
        make_folder(path / IMAGES, path)
        about = {"schema": SCHEMA, "name": secrets.token_hex(8), "generator": model.version[:VERSION_DIGITS],
                 "width": model.width, "height": model.height, "latent": model.latent.size,
                 "scheme": scheme.to_json()}  # fmt: skip
        labels = cls(path, about, scheme, np.zeros((0, model.latent.size), np.float32))
        labels._write()
        write_json(path / SCHEME_FILE, scheme.to_json())
        write_json(path / ABOUT_FILE, about)  # last: it says that all else is there
        return labels

    @classmethod
    def open(cls, path: Path) -> "LabelFolder":
        """The labels in a folder. Raises UsageError where there are none, LmedgeError for damaged ones."""
        if not (path / ABOUT_FILE).is_file():
            raise UsageError(f"{path} holds no labels (no {ABOUT_FILE}); `lmedge label` makes them.")
        about = read_json(path / ABOUT_FILE, WHAT, ABOUT_FORM)
        if about["schema"] != SCHEMA:
            raise LmedgeError(f"{path / ABOUT_FILE} has schema {about['schema']!r}, this version reads {SCHEMA}.")
        if min(about["width"], about["height"]) < 1:
            raise LmedgeError(
                f"{path / ABOUT_FILE} says faces of {about['width']} x {about['height']} pixels; it is damaged."
            )
        scheme = Scheme.from_json(about["scheme"], f"{path / ABOUT_FILE}, 'scheme'")
        file = path / ANNOTATIONS_FILE
        found = read_coco(file, scheme, about["width"], about["height"])
        z = _latents(path / LATENTS_FILE, len(found.names), about["latent"])
        labels = cls(path, about, scheme, z)
        if found.names != [labels.stem(i) for i in range(len(z))]:
            raise LmedgeError(f"{file} lists other images than 000000.png and on, each once; take a whole copy of it.")
        labels.points, labels.visibility = found.points, found.visibility
        labels._seen = _state(file)
        return labels

    @contextmanager
    def owned(self) -> Iterator[None]:
        """Keeps other commands away from the folder while the block runs. Raises LmedgeError where one has it."""
        with owning(self.path):
            yield

    def __len__(self) -> int:
        return len(self.z)

    @staticmethod
    def stem(face: int) -> str:
        """`000012`, the name of face 12."""
        return f"{face:06}"

    def image_file(self, face: int) -> Path:
        """The picture of a face."""
        return self.path / IMAGES / f"{self.stem(face)}.png"

    def points_file(self, face: int) -> Path:
        """The `.pts` file of a face; there once it is complete."""
        return self.image_file(face).with_suffix(".pts")

    @property
    def placed(self) -> NDArray[np.bool_]:
        """`[N, K]`: is this point placed?"""
        return self.visibility > NOT_PLACED

    @property
    def complete(self) -> NDArray[np.bool_]:
        """`[N]`: are all points of this face placed?"""
        return self.placed.all(axis=1)

    def refuse_other_model(self, model_version: str, whose: str) -> None:
        """Raises UsageError where another generator drew the faces than the one of `model_version`."""
        if model_version[:VERSION_DIGITS] != self.generator:
            raise UsageError(
                f"{self.path} has labels on faces of generator {self.generator}, and {whose} is {model_version[:12]}: "
                "its latents draw other faces now; go on with the run or bundle as it was, or name other labels."
            )

    def refuse_other_scheme(self, scheme: Scheme, option: str) -> None:
        """Raises UsageError where the labels are of another landmark scheme."""
        if scheme != self.scheme:
            which = f"{self.scheme}, {self.scheme.count} points"
            raise UsageError(
                f"{self.path} has labels of another scheme ({which}) than {option} says ({scheme}, {scheme.count} "
                "points); leave the option out, or name other labels."
            )

    def add(self, z: Latents, images: NDArray[np.uint8]) -> None:
        """Adds faces `images` `[M, H, W, 3]` of latents `[M, Z]`, without points. What is written last says that they
        are there."""
        with self._lock:
            if len(self) + len(z) > MOST_FACES:
                raise UsageError(f"{self.path} has {len(self)} faces, and labels have {MOST_FACES} at most.")
            before = len(self)
            for face, image in enumerate(images, before):
                png = io.BytesIO()
                Image.fromarray(image).save(png, "PNG")
                write_bytes(self.image_file(face), png.getvalue())
                self.points_file(face).unlink(missing_ok=True)
            whole = np.concatenate([self.z, z.astype(np.float32)])
            write_arrays(self.path / LATENTS_FILE, {"z": whole})
            count = self.scheme.count
            points = np.concatenate([self.points, np.zeros((len(z), count, 2))])
            visibility = np.concatenate([self.visibility, np.zeros((len(z), count), np.int64)])
            self._keep(whole, points, visibility)

    def now(self) -> tuple[Latents, NDArray[np.float64], NDArray[np.int64]]:
        """Latents, points and visibility of one moment."""
        with self._lock:
            return self.z, self.points, self.visibility

    def at(self, face: int, point: int) -> Placed:
        """How a point stands."""
        x, y = self.points[face, point].tolist()
        return Placed(x, y, int(self.visibility[face, point]))

    def place(self, face: int, point: int, now: Placed, was: Placed) -> Placed:
        """Puts a point somewhere, or takes it away, and keeps that. `was`: how it stood where it was decided; who sees
        an older state overwrites nothing. Returns how it stands. Raises Meanwhile where it stood otherwise, and
        UsageError for a place outside of the picture."""
        now, was = now.rounded(), was.rounded()
        refuse_outside(now, self.width, self.height)
        with self._lock:
            before = self.at(face, point)
            if before not in (was, now):
                name = self.scheme.names[point]
                raise Meanwhile(f"{name} was moved elsewhere in the meantime, in another window.", before)
            if before != now:
                points, visibility = self.points.copy(), self.visibility.copy()
                points[face, point], visibility[face, point] = (now.x, now.y), now.visibility
                self._keep(self.z, points, visibility)
                self._write_pts(face)
            return now

    def merge(
        self, found: dict[int, tuple[NDArray[np.float64], NDArray[np.int64]]], overwrite: bool
    ) -> tuple[int, int]:
        """Takes points over that were placed elsewhere: face -> points `[K, 2]`, visibility `[K]`. Those that are
        placed here stay, unless `overwrite`. Returns how many were taken over, and how many stay."""
        with self._lock:
            points, visibility = self.points.copy(), self.visibility.copy()
            taken = stay = 0
            for face, (theirs, seen) in found.items():
                wanted = seen > NOT_PLACED
                other = wanted & self.placed[face] & (np.abs(theirs - points[face]).max(axis=1) > 10**-DECIMALS)
                free = wanted if overwrite else wanted & ~self.placed[face]
                points[face, free], visibility[face, free] = theirs[free].round(DECIMALS), seen[free]
                taken, stay = taken + int(free.sum()), stay + (0 if overwrite else int(other.sum()))
            self._keep(self.z, points, visibility)
            for face in found:
                self._write_pts(face)
            return taken, stay

    def _keep(self, z: Latents, points: NDArray[np.float64], visibility: NDArray[np.int64]) -> None:
        """Writes a state, and takes it over once it is on the disk."""
        before = self.z, self.points, self.visibility
        self.z, self.points, self.visibility = z, points, visibility
        try:
            self._write()
        except BaseException:
            self.z, self.points, self.visibility = before
            raise

    def _write(self) -> None:
        file = self.path / ANNOTATIONS_FILE
        if self._seen is not None and _state(file) != self._seen:
            raise LmedgeError(
                f"{file} was changed by another program; stop `lmedge label` and start it again, and it reads that."
            )
        images = [{"id": i + 1, "file_name": f"{self.stem(i)}.png", "width": self.width, "height": self.height}
                  for i in range(len(self))]  # fmt: skip
        marked = np.flatnonzero(self.placed.any(axis=1)).tolist()
        marks = [annotation(i + 1, self.points[i], self.visibility[i]) for i in marked]
        info = {"description": "points placed on generated faces", "synthetic": True, "lmedge": __version__}
        head = json.dumps({"info": info, "categories": [category(self.scheme)]})[:-1]
        # A face a line: Python writes indented JSON ten times as slowly, and this is written at every click.
        lists = [f',\n"{name}": [\n' + ",\n".join(map(json.dumps, some)) + "\n]"
                 for name, some in (("images", images), ("annotations", marks))]  # fmt: skip
        write_bytes(file, (head + "".join(lists) + "}\n").encode())
        self._seen = _state(file)

    def settle(self) -> None:
        """Brings the `.pts` files in line with the points, where that was killed between the two."""
        with self._lock:
            for face in range(len(self)):
                self._write_pts(face)

    def _write_pts(self, face: int) -> None:
        """A `.pts` file has no place for a point that is not placed."""
        file = self.points_file(face)
        if not self.complete[face]:
            return file.unlink(missing_ok=True)
        text = pts_text(self.points[face].astype(np.float32)).encode()
        if not file.is_file() or file.read_bytes() != text:
            write_bytes(file, text)


def refuse_outside(placed: Placed, width: int, height: int) -> None:
    """Raises UsageError for a point that is not in the picture, and for a visibility that there is not."""
    if placed.visibility not in (NOT_PLACED, 1, VISIBLE):
        raise UsageError(f"a visibility of {placed.visibility} is none of COCO's 0, 1 and 2.")
    inside = -0.5 <= placed.x <= width - 0.5 and -0.5 <= placed.y <= height - 0.5
    if placed.visibility and not inside:
        raise UsageError(
            f"a point at {placed.x:.1f}, {placed.y:.1f} is outside of the picture of {width} x {height} pixels; place "
            "it inside."
        )


def _only_begun(path: Path) -> bool:
    """Is it a folder with nothing but what a command leaves that was killed before there was a face?"""
    if not path.is_dir() or {entry.name for entry in visible(path)} - {ANNOTATIONS_FILE, SCHEME_FILE, IMAGES}:
        return False
    if (path / IMAGES).exists() and any(visible(path / IMAGES)):
        return False
    if not (path / ANNOTATIONS_FILE).exists():
        return True
    theirs = read_json(path / ANNOTATIONS_FILE, WHAT)
    info = theirs.get("info")
    return isinstance(info, dict) and "lmedge" in info and not theirs.get("images")


def _latents(file: Path, count: int, size: int) -> Latents:
    """z of the first `count` faces: a kill between two files leaves latents of faces that are not listed yet."""
    if not file.exists() and not count:
        return np.zeros((0, size), np.float32)
    try:
        z = read_arrays(file, ("z",))["z"]
    except Damaged as error:
        raise LmedgeError(f"{file} is damaged ({error.reason}), and the faces cannot be drawn again.") from None
    if z.ndim != 2 or z.dtype.kind != "f" or len(z) < count or z.shape[1] != size or not np.isfinite(z).all():
        raise LmedgeError(f"{file} has no latents of {count} faces; take a whole copy of the labels.")
    return z[:count].astype(np.float32)


def _state(file: Path) -> tuple[int, int] | None:
    """Differs after another program has written the file."""
    try:
        facts = file.stat()
    except FileNotFoundError:
        return None
    return facts.st_mtime_ns, facts.st_ino
