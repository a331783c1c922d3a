"""Pictures and the annotations of COCO."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from lmedge.coco import HIDDEN, VISIBLE, annotation, category
from lmedge.datasets.formats.format import (
    Format,
    Labels,
    Shape,
    attributes_of,
    decimals,
    on_disk,
    stem,
    write_images,
)
from lmedge.datasets.stream import Samples
from lmedge.storage import replacing


class Coco(Format):
    """images/ and annotations.json: COCO keypoints with names, skeleton and flip pairs. Points outside of the picture,
    and those of little confidence, are hidden."""

    name = "coco"
    files = ("images", "annotations.json")
    files_per_face = 1
    has_visibility = True

    def part(self, out: Path, first: int, samples: Samples, shape: Shape) -> None:
        write_images(out / "images", first, samples)

    def finish(self, out: Path, labels: Labels, shape: Shape) -> None:
        head = {
            "info": {"description": "generated faces with landmarks", "synthetic": True, **shape.about},
            "licenses": [{"id": 1, "name": str(shape.about.get("licence")), "url": ""}],
            "categories": [category(shape.scheme)],
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


def _annotation(samples: Samples, i: int, number: int, shape: Shape) -> dict[str, Any]:
    points = samples.landmarks[i]
    seen = ((points >= -0.5) & (points <= (shape.width - 0.5, shape.height - 0.5))).all(axis=1)
    score: dict[str, Any] = {}
    if samples.confidence is not None:
        score["confidence"] = round(float(samples.confidence[i]), 4)
    if samples.point_confidence is not None:
        seen &= samples.point_confidence[i] >= shape.least_sure
        score["keypoint_confidence"] = decimals(samples.point_confidence[i])
    if shape.attributes:
        score["attributes"] = attributes_of(samples, i, shape)
    return {**annotation(number, points, np.where(seen, VISIBLE, HIDDEN)), **score,
            "latent": int(samples.numbers[i]), "mirrored": bool(samples.mirrored[i])}  # fmt: skip


FORMAT = Coco()
