"""What labelled faces are stored as. Every format gets the same faces, a part at a time, and closes with what only the
whole set can say."""

import csv
import importlib.util
import json
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from lmedge.datasets.stream import Samples
from lmedge.errors import UsageError, nearest
from lmedge.installation import install
from lmedge.landmarks import pts_text, rows
from lmedge.provenance import Provenance
from lmedge.scheme import Scheme
from lmedge.storage import replacing, write_bytes, write_json

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


class Format:
    """`part` writes the files of faces `first` to `first + len(samples)`, a whole part but for the last; `finish` what
    goes beside them. `bytes_per_face` is what one of them takes on a disk with blocks of `block` bytes, and
    `files_per_face` how many files. `needs` are the modules that write it."""

    name: ClassVar[str]
    needs: ClassVar[tuple[str, ...]] = ("fpng",)
    files_per_face: ClassVar[int] = 0

    def part(self, out: Path, first: int, samples: Samples, shape: Shape) -> None:
        raise NotImplementedError

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

    def bytes_per_face(self, png: float, points: int, block: int) -> float:
        raise NotImplementedError

    def check(self, shape: Shape) -> None:
        """Raises UsageError for faces that the format cannot hold."""

    @classmethod
    def missing(cls) -> list[str]:
        """The modules that it needs and that are not installed."""
        return [module for module in cls.needs if importlib.util.find_spec(module) is None]


def stem(number: int) -> str:
    """`000123`, the name of face 123 in every format."""
    return f"{number:06}"


def source(samples: Samples, i: int, seed: int) -> str:
    """Where a face came from: `seed 0, latent 123, mirrored`."""
    return f"seed {seed}, latent {samples.numbers[i]}" + (", mirrored" if samples.mirrored[i] else "")


def _blocks(size: float, block: int) -> float:
    return -(-size // block) * block


class Pts(Format):
    """300-W: 000000.png beside 000000.pts, 1-based."""

    name = "pts"
    files_per_face = 2

    def part(self, out: Path, first: int, samples: Samples, shape: Shape) -> None:
        for i, png in enumerate(samples.pngs):
            (out / f"{stem(first + i)}.png").write_bytes(png)
            (out / f"{stem(first + i)}.pts").write_bytes(pts_text(samples.landmarks[i]).encode())

    def bytes_per_face(self, png: float, points: int, block: int) -> float:
        return _blocks(png, block) + _blocks(20 * points + 40, block)


class FaceSynthetics(Format):
    """As Microsoft's FaceSynthetics: 000000.png beside 000000_ldmks.txt, lines `x y`; without its _seg.png."""

    name = "facesynthetics"
    files_per_face = 2

    def part(self, out: Path, first: int, samples: Samples, shape: Shape) -> None:
        for i, png in enumerate(samples.pngs):
            (out / f"{stem(first + i)}.png").write_bytes(png)
            text = rows(samples.landmarks[i], "%.4f %.4f\n")
            (out / f"{stem(first + i)}_ldmks.txt").write_bytes(text.encode())

    def bytes_per_face(self, png: float, points: int, block: int) -> float:
        return _blocks(png, block) + _blocks(18 * points, block)


class Csv(Format):
    """images/ and landmarks.csv: file, x and y of each point, confidence, latent, mirrored."""

    name = "csv"
    files_per_face = 1

    def part(self, out: Path, first: int, samples: Samples, shape: Shape) -> None:
        _write_images(out, first, samples)

    def finish(self, out: Path, labels: Labels, shape: Shape) -> None:
        with replacing(out / "landmarks.csv") as beside, beside.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            number = 0
            for samples in labels():
                sure = [] if samples.confidence is None else ["confidence"]
                if not number:
                    axes = (f"{name}_{axis}" for name in shape.scheme.names for axis in "xy")
                    writer.writerow(["file", *axes, *sure, "latent", "mirrored"])
                for i in range(len(samples)):
                    points = [f"{value:.4f}" for value in samples.landmarks[i].ravel().tolist()]
                    score = [] if samples.confidence is None else [f"{samples.confidence[i]:.4f}"]
                    latent = [int(samples.numbers[i]), int(samples.mirrored[i])]
                    writer.writerow([f"images/{stem(number)}.png", *points, *score, *latent])
                    number += 1

    def bytes_per_face(self, png: float, points: int, block: int) -> float:
        return _blocks(png, block) + 18 * points + 40


class Coco(Format):
    """images/ and annotations.json: COCO keypoints with names, skeleton and flip pairs."""

    name = "coco"
    files_per_face = 1

    def part(self, out: Path, first: int, samples: Samples, shape: Shape) -> None:
        _write_images(out, first, samples)

    def finish(self, out: Path, labels: Labels, shape: Shape) -> None:
        head = {
            "info": {"description": "generated faces with landmarks", "synthetic": True, **shape.about},
            "licenses": [{"id": 1, "name": str(shape.about.get("licence")), "url": ""}],
            "categories": [coco_category(shape.scheme)],
        }
        # Piece by piece: a list of millions of annotations does not fit into memory.
        with replacing(out / "annotations.json") as beside, beside.open("w", encoding="utf-8") as file:
            file.write(json.dumps(head)[:-1] + ',\n"images": [')
            for number in range(shape.count):
                image = {"id": number + 1, "file_name": f"{stem(number)}.png", "width": shape.width,
                         "height": shape.height, "license": 1}  # fmt: skip
                file.write(("," if number else "") + "\n" + json.dumps(image))
            file.write('\n],\n"annotations": [')
            number = 0
            for samples in labels():
                for i in range(len(samples)):
                    file.write(("," if number else "") + "\n" + json.dumps(_annotation(samples, i, number + 1, shape)))
                    number += 1
            file.write("\n]}\n")

    def bytes_per_face(self, png: float, points: int, block: int) -> float:
        return _blocks(png, block) + 22 * points + 350


class WebDataset(Format):
    """faces-000000.tar of 1,024 faces each: 000000.png and 000000.json."""

    name = "webdataset"

    def finish(self, out: Path, labels: Labels, shape: Shape) -> None:
        """Its parts are whole."""

    def part(self, out: Path, first: int, samples: Samples, shape: Shape) -> None:
        # Header and data as they are: TarFile takes a tenth of the time that drawing a face does, and many small writes
        # more.
        pieces = []
        for i, png in enumerate(samples.pngs):
            for suffix, data in (("png", png), ("json", self._label(samples, i, shape))):
                entry = tarfile.TarInfo(f"{stem(first + i)}.{suffix}")
                entry.size = len(data)
                pieces += [entry.tobuf(tarfile.USTAR_FORMAT), data, bytes(-len(data) % tarfile.BLOCKSIZE)]
        pieces.append(bytes(2 * tarfile.BLOCKSIZE))  # the end
        write_bytes(out / f"faces-{stem(first // PART_FACES)}.tar", b"".join(pieces))

    def _label(self, samples: Samples, i: int, shape: Shape) -> bytes:
        points = rows(samples.landmarks[i], "[%.4f,%.4f],")[:-1]
        facts: dict[str, Any] = {"scheme": shape.scheme.name, "latent": int(samples.numbers[i]),
                                 "mirrored": bool(samples.mirrored[i])}  # fmt: skip
        if samples.confidence is not None:
            facts["confidence"] = round(float(samples.confidence[i]), 4)
        return f'{{"landmarks": [{points}], {json.dumps(facts)[1:]}'.encode()

    def bytes_per_face(self, png: float, points: int, block: int) -> float:
        return 1024 + _blocks(png, 512) + _blocks(22 * points + 120, 512)


class TfRecord(Format):
    """A dataset of lmedge, as `prepare` makes one: `train-gan` and `study` read it."""

    name = "tfrecord"
    needs = ("fpng", "tensorflow", "cv2")

    def check(self, shape: Shape) -> None:
        if shape.width != shape.height:
            raise UsageError(
                f"--format tfrecord: its faces are square, these are {shape.width} x {shape.height}; take webdataset."
            )

    def part(self, out: Path, first: int, samples: Samples, shape: Shape) -> None:
        from lmedge.faces.record import Record  # loads OpenCV, and the next line TensorFlow: for this format only
        from lmedge.faces.records import write_shard

        seed = int(shape.about["options"]["seed"])
        records = (
            # A face and its mirror image are one group, and never straddle a split.
            Record(png, samples.landmarks[i], source(samples, i, seed), f"{seed}-{samples.numbers[i]}")
            for i, png in enumerate(samples.pngs)
        )
        write_shard(out / self._shard(first // PART_FACES, shape), records)

    def _shard(self, number: int, shape: Shape) -> str:
        from lmedge.faces.records import shard_name

        return shard_name(number, -(-shape.count // PART_FACES))

    def finish(self, out: Path, labels: Labels, shape: Shape) -> None:
        from lmedge.faces.records import DATASET_FILE, SCHEMA

        super().finish(out, labels, shape)
        about = shape.about
        lgen = Provenance("lgen", str(about["version"]), {}, about["licence"])
        write_json(out / DATASET_FILE, {
            "schema": SCHEMA, "count": shape.count, "rejected": {}, "made_by": "synthesize", "synthetic": True,
            "size": shape.width, "scheme": shape.scheme.to_json(), "provenance": lgen.to_json(), "photos": shape.count,
            "generator": about.get("generator"),
            "versions": about.get("versions"), "options": about.get("options"),
            "shards": [self._shard(i, shape) for i in range(-(-shape.count // PART_FACES))],
        })  # fmt: skip

    def bytes_per_face(self, png: float, points: int, block: int) -> float:
        return png + 8 * points + 150


FORMATS: dict[str, Format] = {f.name: f for f in (Pts(), Coco(), Csv(), TfRecord(), WebDataset(), FaceSynthetics())}


def format_named(name: str) -> Format:
    """The format called `name`. Raises UsageError with the nearest one."""
    if name not in FORMATS:
        raise UsageError(f"--format {name}: unknown; {nearest(name.lower(), FORMATS, 0.4)}")
    return FORMATS[name]


def check_installed(format_: Format) -> None:
    """Raises UsageError for a format that needs what is not installed."""
    if missing := format_.missing():
        extras = dict.fromkeys("datasets" if module == "fpng" else "train" for module in missing)
        ready = [name for name, other in FORMATS.items() if not other.missing()]
        other = f", or take one of {', '.join(ready)}" if ready else ""
        raise UsageError(
            f"--format {format_.name}: needs {' and '.join(missing)}, not installed here; {install(*extras)}{other}."
        )


def coco_category(scheme: Scheme) -> dict[str, Any]:
    """The COCO category of a face: names, `skeleton` (pairs of 1-based points), and `flip_pairs` (0-based points that
    change places in a mirror), which COCO itself does not have."""
    edges = [[a + 1, b + 1] for curve in scheme.curves for a, b in pairwise(curve)]
    pairs = [[i, other] for i, other in enumerate(scheme.mirror) if i < other]
    return {"id": 1, "name": "face", "supercategory": "person", "keypoints": list(scheme.names), "skeleton": edges,
            "flip_pairs": pairs}  # fmt: skip


def _annotation(samples: Samples, i: int, number: int, shape: Shape) -> dict[str, Any]:
    points = samples.landmarks[i].astype(float)
    # COCO: 2 is visible, 1 is labelled and not in the picture.
    inside = ((points >= -0.5) & (points <= (shape.width - 0.5, shape.height - 0.5))).all(axis=1)
    low, high = points.min(axis=0), points.max(axis=0)
    marks: NDArray[np.float64] = np.column_stack([points, 1 + inside])
    keypoints = [round(v, 4) if n % 3 < 2 else int(v) for n, v in enumerate(marks.ravel().tolist())]
    box = [round(v, 4) for v in (*low.tolist(), *(high - low).tolist())]
    score = {} if samples.confidence is None else {"confidence": round(float(samples.confidence[i]), 4)}
    return {"id": number, "image_id": number, "category_id": 1, "iscrowd": 0, "bbox": box,
            "area": round(box[2] * box[3], 4), "num_keypoints": len(points), "keypoints": keypoints, **score,
            "latent": int(samples.numbers[i]), "mirrored": bool(samples.mirrored[i])}  # fmt: skip


def _write_images(out: Path, first: int, samples: Samples) -> None:
    (out / "images").mkdir(exist_ok=True)
    for i, png in enumerate(samples.pngs):
        (out / "images" / f"{stem(first + i)}.png").write_bytes(png)
