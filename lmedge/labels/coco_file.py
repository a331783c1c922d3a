"""Points in COCO files, ours and those of other tools."""

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmedge.coco import HIDDEN, NOT_PLACED, VISIBLE
from lmedge.errors import LmedgeError, nearest
from lmedge.scheme import Scheme
from lmedge.storage import check_form, read_json

WHAT = "a file of COCO key points"
FORM = {"images": list, "annotations": list, "categories": list}
IMAGE_FORM = {"file_name": str, "width": int, "height": int}


@dataclass(frozen=True)
class CocoPoints:
    """`names` of N pictures without their endings; `points` `[N, K, 2]` in pixels of pictures of the size that was
    asked for, 0 where `visibility` `[N, K]` is 0. Pictures without an annotation are among them."""

    names: list[str]
    points: NDArray[np.float64]
    visibility: NDArray[np.int64]


def read_coco(path: Path, scheme: Scheme, width: int, height: int) -> CocoPoints:
    """The points of `scheme` in a COCO file, in pixels of pictures of `width` x `height`, whatever the size of those
    that it is about and the order of its points; points that it does not know are not placed. Raises LmedgeError for
    what cannot be read as that."""
    value = read_json(path, WHAT, FORM)
    places = _places(value["categories"], scheme, path)
    pictures: dict[Any, int] = {}
    names: list[str] = []
    sizes: list[tuple[int, int]] = []
    for image in value["images"]:
        about = _object(image, "images", path)
        check_form(about, IMAGE_FORM, f"{path}, 'images'", WHAT)
        pictures[_id(about, "id", path)] = len(names)
        names.append(PurePosixPath(about["file_name"].replace("\\", "/")).stem)
        sizes.append((about["width"], about["height"]))
        _check_size(path, about, width, height)
    points, visibility = np.zeros((len(names), scheme.count, 2)), np.zeros((len(names), scheme.count), np.int64)
    done = set()
    for mark in value["annotations"]:
        about = _object(mark, "annotations", path)
        number = _id(about, "image_id", path)
        if number not in pictures:
            raise LmedgeError(f"{path} has points on image {number!r:.40}, which it does not list.")
        at = pictures[number]
        known = places.get(_id(about, "category_id", path))
        if known is None or not about.get("keypoints"):
            continue  # boxes and the like, of which other tools have some
        if at in done:
            raise LmedgeError(f"{path} has the points of two faces on {names[at]!r:.60}; leave one of them.")
        done.add(at)
        marks = _marks(about["keypoints"], len(known), f"{path}, {names[at]!r:.60}")
        for place, (x, y, seen) in zip(known, marks, strict=True):
            points[at, place], visibility[at, place] = (x, y), seen
        scale = np.array([width, height]) / sizes[at]
        points[at] = (points[at] + 0.5) * scale - 0.5  # centres of pixels
        _check_inside(points[at], visibility[at], scheme, (width, height), f"{path}, {names[at]!r:.60}")
        points[at][visibility[at] == NOT_PLACED] = 0
    return CocoPoints(names, points, visibility)


def _places(categories: list[Any], scheme: Scheme, path: Path) -> dict[Any, list[int]]:
    """By category, where each of its key points stands in the scheme."""
    found = {}
    for each in categories:
        about = _object(each, "categories", path)
        names = about.get("keypoints")
        if not names:
            continue
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise LmedgeError(f"{path} has {names!r:.60} for the names of key points; write a list of texts.")
        for name in names:
            if name not in scheme.names:
                raise LmedgeError(f"{path} has the point {name!r:.60}, which {scheme} has not; "
                                  f"{nearest(name, scheme.names)}")  # fmt: skip
        if len(set(names)) < len(names):
            raise LmedgeError(f"{path} names a point of a category twice; name each once.")
        found[_id(about, "id", path)] = [scheme.names.index(name) for name in names]
    if not found:
        raise LmedgeError(f"{path} has no category with the names of its key points, so nobody knows which is which.")
    return found


def _marks(values: Any, count: int, where: str) -> NDArray[np.float64]:
    """x, y and visibility of `count` points, `[count, 3]`."""
    try:
        marks = np.array(values, np.float64).reshape(-1, 3)
    except (TypeError, ValueError, OverflowError):
        raise LmedgeError(f"{where} has key points that are no list of numbers, three a point.") from None
    if len(marks) != count or not np.isfinite(marks).all():
        raise LmedgeError(f"{where} has {len(marks)} key points, or no finite ones, and its category names {count}.")
    if not np.isin(marks[:, 2], (NOT_PLACED, HIDDEN, VISIBLE)).all():
        raise LmedgeError(f"{where} has a visibility that is none of COCO's 0, 1 and 2.")
    return marks


def _check_size(path: Path, about: dict[str, Any], width: int, height: int) -> None:
    theirs = about["width"], about["height"]
    if min(theirs) < 1 or theirs[0] * height != theirs[1] * width:
        raise LmedgeError(
            f"{path} says that {about['file_name']!r:.60} has {theirs[0]} x {theirs[1]} pixels, and the faces have "
            f"{width} x {height}: label the pictures in images/, or whole enlargements of them."
        )


def _check_inside(
    points: NDArray[np.float64], visibility: NDArray[np.int64], scheme: Scheme, size: tuple[int, int], where: str
) -> None:
    placed = visibility > NOT_PLACED
    outside = placed & ~((points >= -0.5) & (points <= np.array(size) - 0.5)).all(axis=1)
    if outside.any():
        raise LmedgeError(
            f"{where} has {scheme.names[int(outside.argmax())]} outside of the picture; place it inside, or give it "
            "the visibility 0."
        )


def refuse_heap(points: NDArray[np.float64], placed: NDArray[np.bool_], where: str) -> None:
    """Raises LmedgeError where all placed points `[K, 2]` of a face are at one place."""
    if placed.sum() > 1 and np.ptp(points[placed], axis=0).max() == 0:
        raise LmedgeError(f"{where} has all of its points on one place; place each where it belongs.")


def _object(value: Any, name: str, path: Path) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise LmedgeError(f"{path} has {value!r:.60} among its {name!r}, which is no object.")
    return value


def _id(about: dict[str, Any], name: str, path: Path) -> int | str:
    value = about.get(name)
    if not isinstance(value, int | str):
        raise LmedgeError(f"{path} has {value!r:.60} for {name!r}; write a number.")
    return value
