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


class HaarDetector:
    """The cascades, loaded once a process."""

    def __init__(self) -> None:
        self._cascades = {
            name: cv2.CascadeClassifier(f"{cv2.data.haarcascades}haarcascade_{name}.xml")  # type: ignore[attr-defined]
            for name in {name for name, _ in PASSES}
        }

    def largest(self, pixels: Image8) -> Box:
        """The largest face of the photo `[H, W, 3]`. Raises Rejected for no face, or two large ones."""
        grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
        scale = DETECTION_SIDE / min(grey.shape)
        shape = (round(grey.shape[1] * scale), round(grey.shape[0] * scale))
        if max(shape) > 8 * DETECTION_SIDE:
            raise Rejected("no face found")  # a strip
        grey = cv2.resize(grey, shape, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
        least = round(SMALLEST * DETECTION_SIDE)
        for name, neighbours in PASSES:
            boxes = self._cascades[name].detectMultiScale(grey, 1.1, neighbours, minSize=(least, least))
            if len(boxes):
                break
        else:
            raise Rejected("no face found")
        boxes = sorted((tuple(map(float, box)) for box in boxes), key=lambda box: -box[2])
        x, y, side, _ = boxes[0]
        for other in boxes[1:]:
            apart = np.hypot(other[0] - x + (other[2] - side) / 2, other[1] - y + (other[2] - side) / 2)
            if other[2] >= SECOND_FACE * side and apart > side / 2:
                raise Rejected("two faces")
        return Box(x / scale, y / scale, side / scale)
