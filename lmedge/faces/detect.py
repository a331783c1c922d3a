"""Finding the face in a photo with OpenCV's frontal Haar cascades (Viola and Jones)."""

from dataclasses import dataclass

import cv2
import numpy as np

from lmedge.affine import Image8
from lmedge.errors import Rejected

DETECTION_SIDE = 192  # pixels of the photo's shorter side while searching
# (cascade, neighbours asked for), in order: the strict pass finds 98 % of CelebA's faces with hardly a
# false one; the loose passes see photos in which it found nothing.
PASSES = (("frontalface_alt2", 4), ("frontalface_alt2", 2), ("frontalface_default", 2))
SMALLEST = 0.2  # of the photo's shorter side
# A second face counts when it is at least this large against the largest: people in the background do not
# make a portrait ambiguous, a couple does.
SECOND_FACE = 0.6


@dataclass(frozen=True)
class Box:
    """A square in photo pixels; `(x, y)` its top-left corner."""

    x: float
    y: float
    side: float

    def is_part_of(self, larger: "Box") -> bool:
        """Is it the same face, seen once more?"""
        half = (self.side - larger.side) / 2
        return float(np.hypot(self.x - larger.x + half, self.y - larger.y + half)) <= larger.side / 2


class HaarDetector:
    """The cascades, loaded once a process."""

    def __init__(self) -> None:
        self._cascades = {
            name: cv2.CascadeClassifier(f"{cv2.data.haarcascades}haarcascade_{name}.xml")  # type: ignore[attr-defined]
            for name in {name for name, _ in PASSES}
        }

    def largest(self, pixels: Image8) -> Box:
        """The largest face of the photo `[H, W, 3]`. Raises Rejected for no face, or two large ones."""
        boxes = self.faces(pixels)
        if not boxes:
            raise Rejected("no face found")
        if len(boxes) > 1 and boxes[1].side >= SECOND_FACE * boxes[0].side:
            raise Rejected("two faces")
        return boxes[0]

    def faces(self, pixels: Image8) -> list[Box]:
        """All faces of the photo `[H, W, 3]`, the largest first."""
        grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
        scale = DETECTION_SIDE / min(grey.shape)
        shape = (round(grey.shape[1] * scale), round(grey.shape[0] * scale))
        if max(shape) > 8 * DETECTION_SIDE:
            return []  # a strip
        grey = cv2.resize(grey, shape, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
        least = round(SMALLEST * DETECTION_SIDE)
        for name, neighbours in PASSES:
            found = self._cascades[name].detectMultiScale(grey, 1.1, neighbours, minSize=(least, least))
            if len(found):
                break
        boxes: list[Box] = []
        for x, y, side, _ in sorted((tuple(map(float, box)) for box in found), key=lambda box: -box[2]):
            box = Box(x / scale, y / scale, side / scale)
            if not any(box.is_part_of(larger) for larger in boxes):
                boxes.append(box)
        return boxes
