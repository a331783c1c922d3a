"""COCO's key points: what generated datasets and labels of people write alike."""

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmedge.scheme import Scheme

NOT_PLACED, HIDDEN, VISIBLE = 0, 1, 2  # what COCO calls visibility: absent; placed, and not to be seen; to be seen
DECIMALS = 4


def category(scheme: Scheme) -> dict[str, Any]:
    """The COCO category of a face: names, `skeleton` (pairs of 1-based points), and `flip_pairs` (0-based points that
    change places in a mirror), which COCO itself does not have."""
    edges = [[a + 1, b + 1] for curve in scheme.curves for a, b in pairwise(curve)]
    pairs = [[i, other] for i, other in enumerate(scheme.mirror) if i < other]
    return {"id": 1, "name": "face", "supercategory": "person", "keypoints": list(scheme.names), "skeleton": edges,
            "flip_pairs": pairs}  # fmt: skip


def annotation(number: int, points: NDArray[Any], visibility: NDArray[Any]) -> dict[str, Any]:
    """The annotation of face `number` (from 1) with `points` `[K, 2]` in pixels and their `visibility` `[K]`; one that
    is not placed stands at 0, 0, as COCO wants it."""
    placed = visibility > NOT_PLACED
    where = np.where(placed[:, None], points, 0).astype(float)
    marks: NDArray[np.float64] = np.column_stack([where, visibility])
    keypoints = [round(v, DECIMALS) if n % 3 < 2 else int(v) for n, v in enumerate(marks.ravel().tolist())]
    corners = where[placed] if placed.any() else np.zeros((1, 2))
    low, high = corners.min(axis=0), corners.max(axis=0)
    box = [round(v, DECIMALS) for v in (*low.tolist(), *(high - low).tolist())]
    return {"id": number, "image_id": number, "category_id": 1, "iscrowd": 0, "bbox": box,
            "area": round(box[2] * box[3], DECIMALS), "num_keypoints": int(placed.sum()),
            "keypoints": keypoints}  # fmt: skip
