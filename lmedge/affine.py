"""Squares of pictures: maps between the pixels of a photo and those of a face, and what is cut out along them."""

import cv2
import numpy as np
from numpy.typing import NDArray

Image8 = NDArray[np.uint8]
Affine = NDArray[np.float64]  # [2, 3], photo pixels -> face pixels


def square_to_face(x: float, y: float, side: float, size: int) -> Affine:
    """The map from the square with top-left corner `(x, y)` (its edge, so a pixel's centre minus one half)
    to a face of `size` pixels."""
    scale = size / side
    return np.array([[scale, 0.0, (0.5 - x) * scale - 0.5], [0.0, scale, (0.5 - y) * scale - 0.5]])


def moved(points: NDArray[np.float32], affine: Affine) -> NDArray[np.float32]:
    """Points `[K, 2]` through the affine map."""
    return (points @ affine[:, :2].T + affine[:, 2]).astype(np.float32)


def inverse(affine: Affine) -> Affine:
    """The map back."""
    linear = np.linalg.inv(affine[:, :2])
    return np.hstack([linear, -(linear @ affine[:, 2:])])


def cut(pixels: Image8, affine: Affine, size: int) -> Image8:
    """The face `[size, size, 3]` that `affine` sees in the photo; the photo's border is reflected.

    The photo is averaged down first where the face is smaller than its square, as warping alone aliases.
    """
    scale = float(np.sqrt(abs(np.linalg.det(affine[:, :2]))))
    if scale < 0.8:
        height, width = pixels.shape[:2]
        new = (max(1, round(width * scale)), max(1, round(height * scale)))
        ratio = np.array([new[0] / width, new[1] / height])
        pixels = cv2.resize(pixels, new, interpolation=cv2.INTER_AREA)
        # small + 0.5 = (large + 0.5) * ratio, so large = (small + 0.5) / ratio - 0.5
        linear = affine[:, :2] / ratio
        offset = affine[:, 2] + affine[:, :2] @ (0.5 / ratio - 0.5)
        affine = np.column_stack([linear, offset])
    return cv2.warpAffine(pixels, affine, (size, size), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101)
