"""Faces with their landmarks as pictures for people."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from lmedge.landmarks import Array, Scheme


def enlarged(image: NDArray[np.uint8], scale: int) -> NDArray[np.uint8]:
    """The face `[H, W, 3]` as `[H*scale, W*scale, 3]`."""
    height, width = image.shape[:2]
    size = (width * scale, height * scale)
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BICUBIC))


def drawn(image: NDArray[np.uint8], points: Array, scheme: Scheme, scale: int = 4) -> NDArray[np.uint8]:
    """The face `[H, W, 3]` enlarged `scale` times with its landmarks `[K, 2]` (pixels) and the curves
    through them drawn on it: `[H*scale, W*scale, 3]`, RGB."""
    width = image.shape[1]
    picture = Image.fromarray(enlarged(image, scale))
    draw = ImageDraw.Draw(picture)
    where = (points + 0.5) * scale - 0.5
    for curve in scheme.curves:
        draw.line([tuple(where[i]) for i in curve], fill=(0, 190, 255), width=1)
    radius = max(1.0, scale * width / 256)
    for x, y in where:
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=(120, 255, 80))
    return np.asarray(picture)


def grid(images: Sequence[NDArray[np.uint8]], columns: int, gap: int = 2) -> NDArray[np.uint8]:
    """Images `[H, W, 3]` of one size as one picture, row by row, on white."""
    height, width = images[0].shape[:2]
    rows = -(-len(images) // columns)
    columns = min(columns, len(images))
    shape = (rows * (height + gap) - gap, columns * (width + gap) - gap, 3)
    sheet = np.full(shape, 255, np.uint8)
    for i, image in enumerate(images):
        row, column = divmod(i, columns)
        y, x = row * (height + gap), column * (width + gap)
        sheet[y : y + height, x : x + width] = image
    return sheet
