"""Points that other tools have placed on the faces of labels: a COCO file, or a folder of `.pts`."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lmedge.coco import NOT_PLACED, VISIBLE
from lmedge.errors import LmedgeError, UsageError
from lmedge.labels.coco_file import read_coco, refuse_heap
from lmedge.labels.folder import LabelFolder, Placed, refuse_outside
from lmedge.landmarks import read_pts

Found = dict[int, tuple[NDArray[np.float64], NDArray[np.int64]]]


def take_over(labels: LabelFolder, source: Path, overwrite: bool) -> tuple[int, int]:
    """Adds the points of a COCO file, or of the `.pts` files of a folder, which are called as the faces are. Those that
    are placed already stay, unless `overwrite`. Returns how many points were taken over, and how many stay though
    they are elsewhere in the file. Raises UsageError, LmedgeError before anything is changed."""
    found = _pts(labels, source) if source.is_dir() else _coco(labels, source)
    return labels.merge(found, overwrite)


def _coco(labels: LabelFolder, file: Path) -> Found:
    read = read_coco(file, labels.scheme, labels.width, labels.height)
    faces = {labels.stem(face): face for face in range(len(labels))}
    found: Found = {}
    for name, points, visibility in zip(read.names, read.points, read.visibility, strict=True):
        if not visibility.any():
            continue
        if name not in faces:
            raise UsageError(f"--take-over {file} has points on {name!r:.60}, and {labels.path} has no such face.")
        refuse_heap(points, visibility > NOT_PLACED, f"{file}, {name!r:.60}")
        found[faces[name]] = points, visibility
    return _some(found, file)


def _pts(labels: LabelFolder, folder: Path) -> Found:
    found: Found = {}
    for face in range(len(labels)):
        file = folder / f"{labels.stem(face)}.pts"
        if not file.is_file():
            continue
        points = read_pts(file).astype(np.float64)
        if len(points) != labels.scheme.count:
            raise LmedgeError(f"{file} has {len(points)} points, and {labels.scheme} has {labels.scheme.count}.")
        for x, y in points.tolist():
            refuse_outside(Placed(x, y, VISIBLE), labels.width, labels.height)
        refuse_heap(points, np.ones(len(points), bool), str(file))
        found[face] = points, np.full(len(points), VISIBLE)
    return _some(found, folder)


def _some(found: Found, source: Path) -> Found:
    if not found:
        raise UsageError(f"--take-over {source} has points on no face of these labels; files are called 000000 and on.")
    return found
