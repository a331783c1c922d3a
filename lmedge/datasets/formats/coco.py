"""Pictures and the annotations of COCO."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmedge.datasets.formats.format import Format, Labels, Shape, on_disk, stem, write_images
from lmedge.datasets.stream import Samples
from lmedge.scheme import Scheme
from lmedge.storage import replacing


class Coco(Format):
    """images/ and annotations.json: COCO keypoints with names, skeleton and flip pairs."""

    name = "coco"
    files = ("images", "annotations.json")
    files_per_face = 1

    def part(self, out: Path, first: int, samples: Samples, shape: Shape) -> None:
        write_images(out / "images", first, samples)

    def finish(self, out: Path, labels: Labels, shape: Shape) -> None:
        head = {
            "info": {"description": "generated faces with landmarks", "synthetic": True, **shape.about},
            "licenses": [{"id": 1, "name": str(shape.about.get("licence")), "url": ""}],
            "categories": [_category(shape.scheme)],
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
        return on_disk(png, block) + 22 * points + 350


def _category(scheme: Scheme) -> dict[str, Any]:
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


FORMAT = Coco()
