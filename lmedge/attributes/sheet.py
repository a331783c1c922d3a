"""What a network of attributes means by them, to look at: the faces that have each the least and the most."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from lmedge.pictures import grid

FACES_A_SIDE = 6
LABEL_WIDTH = 170  # pixels
GAP = 8


def sheet(
    images: Callable[[NDArray[np.int64]], NDArray[np.uint8]], names: Sequence[str], values: NDArray[np.float32]
) -> NDArray[np.uint8]:
    """A row for each attribute: its name, the faces with the lowest and those with the highest of the values `[N, A]`.
    `images` gives faces `[n, H, W, 3]` by their numbers `[n]` below N, which is 2 at least."""
    count = min(FACES_A_SIDE, len(values) // 2)
    rows = []
    for name, of_one in zip(names, values.T, strict=True):
        order = np.argsort(of_one, kind="stable")
        pictures = images(np.concatenate([order[:count], order[len(order) - count :]]))
        rows.append(named_row(name, pictures[:count], pictures[count:]))
    return grid(rows, 1)


def named_row(name: str, low: NDArray[np.uint8], high: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A name, then faces `[n, H, W, 3]` that have little of it, a gap, and those that have much."""
    height = low.shape[1]
    label = Image.new("RGB", (LABEL_WIDTH, height), "white")
    ImageDraw.Draw(label).text((4, height // 2 - 6), name, fill="black")
    gap = np.full((height, GAP, 3), 255, np.uint8)
    return np.concatenate([np.asarray(label), *low, gap, *high], axis=1)
