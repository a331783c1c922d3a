"""Faces in a picture, and their landmarks."""

from dataclasses import dataclass

from lmedge.affine import Image8
from lmedge.crop import crop_of
from lmedge.faces.detect import HaarDetector
from lmedge.landmarks import Array
from lmedge.runtime.detector import LandmarkDetector

SMALLEST_SIDE = 8  # pixels of a picture, as `prepare` takes


@dataclass(frozen=True)
class Found:
    """A face: the `box` (x, y, width, height) in which it was seen, and its landmarks `[K, 2]`, in pixels of the
    picture."""

    box: tuple[float, float, float, float]
    landmarks: Array


class Finder:
    """Looks for faces as `lmedge prepare` did when the faces were cut that `detector` learnt from. Raises LmedgeError
    where they were turned by their landmarks."""

    def __init__(self, detector: LandmarkDetector):
        self.detector = detector
        detector.square((0, 0, 1, 1))  # refuses now
        self._haar = HaarDetector() if crop_of(detector.provenance)[0] == "haar" else None

    def __call__(self, pixels: Image8) -> list[Found]:
        """All faces in a picture `[H, W, 3]`, the largest first; of a detector of whole pictures the middle square."""
        height, width = pixels.shape[:2]
        side = float(min(height, width))
        if side < SMALLEST_SIDE:
            return []
        if self._haar is None:
            boxes = [((width - side) / 2, (height - side) / 2, side, side)]
        else:
            boxes = [(box.x, box.y, box.side, box.side) for box in self._haar.faces(pixels)]
        return [Found(box, self.detector.landmarks_in(pixels, box)) for box in boxes]
