"""Faces with their landmarks as pictures for people."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from lmedge.errors import UsageError
from lmedge.landmarks import Array
from lmedge.scheme import Scheme
from lmedge.storage import write_bytes

SHEET_FACES = 64  # on a contact sheet
SHEET_PIXELS = 128  # a face is enlarged to about this
# ending of a file -> format, options, and the longest side that it can have
FORMATS: dict[str, tuple[str, dict[str, Any], int]] = {
    ".png": ("PNG", {}, 1 << 31),
    **dict.fromkeys((".jpg", ".jpeg"), ("JPEG", {"quality": 95, "subsampling": 0}, 65_500)),
    ".webp": ("WEBP", {"quality": 95}, 16_383),
    ".bmp": ("BMP", {}, 1 << 31),
    **dict.fromkeys((".tif", ".tiff"), ("TIFF", {"compression": "tiff_lzw"}, 1 << 31)),
}


def check_picture(path: Path, side: int = 0) -> None:
    """Raises UsageError where a picture `side` pixels long cannot be written to a file of this name."""
    if path.suffix.lower() not in FORMATS:
        raise UsageError(f"--out {path}: take a name that ends in one of {', '.join(FORMATS)}.")
    format_, _, longest = FORMATS[path.suffix.lower()]
    if side > longest:
        raise UsageError(f"--out {path}: a {format_} has at most {longest} pixels a side, this has {side}; take .png.")


def write_picture(path: Path, picture: NDArray[np.uint8]) -> None:
    """Writes `[H, W, 3]` RGB in one step, as the ending of `path` says. Raises as `check_picture`."""
    check_picture(path, max(picture.shape))
    format_, options, _ = FORMATS[path.suffix.lower()]
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, format_, **options)
    write_bytes(path, buffer.getvalue())


def enlarged(image: NDArray[np.uint8], scale: int) -> NDArray[np.uint8]:
    """The face `[H, W, 3]` as `[H*scale, W*scale, 3]`."""
    height, width = image.shape[:2]
    size = (width * scale, height * scale)
    return np.asarray(Image.fromarray(np.ascontiguousarray(image)).resize(size, Image.Resampling.BICUBIC))


def drawn(image: NDArray[np.uint8], points: Array, scheme: Scheme, scale: int = 4) -> NDArray[np.uint8]:
    """The face `[H, W, 3]` enlarged `scale` times with its landmarks `[K, 2]` (pixels) and the curves
    through them drawn on it: `[H*scale, W*scale, 3]`, RGB."""
    width = image.shape[1]
    picture = Image.fromarray(enlarged(image, scale))
    draw = ImageDraw.Draw(picture)
    mark(draw, (points + 0.5) * scale - 0.5, scheme, max(1.0, scale * width / 256))
    return np.asarray(picture)


def mark(draw: ImageDraw.ImageDraw, points: Array, scheme: Scheme, radius: float, line: int = 1) -> None:
    """Draws landmarks `[K, 2]`, in pixels of what is drawn on, and the curves through them."""
    for curve in scheme.curves:
        draw.line([tuple(points[i]) for i in curve], fill=(0, 190, 255), width=line)
    for x, y in points:
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=(120, 255, 80))


def contact_sheet(
    images: NDArray[np.uint8] | Sequence[NDArray[np.uint8]],
    landmarks: Array | Sequence[Array] | None = None,
    scheme: Scheme | None = None,
    columns: int = 8,
    pixels: int = SHEET_PIXELS,
    bare_above: bool = False,
) -> NDArray[np.uint8]:
    """Faces `[N, H, W, 3]`, each enlarged to about `pixels`, as one picture; with their landmarks `[N, K, 2]` (pixels)
    where there are some. `bare_above`: and above each row the same faces without, as points hide eyes and mouths.
    Raises UsageError where there is no face."""
    if not len(images):
        raise UsageError("there is no face to show.")
    scale = max(1, pixels // images[0].shape[1])
    if landmarks is None or scheme is None:
        return grid([enlarged(image, scale) for image in images], columns)
    pictures = [drawn(image, points, scheme, scale) for image, points in zip(images, landmarks, strict=True)]
    if bare_above:
        pictures = [grid([enlarged(image, scale), marked], 1) for image, marked in zip(images, pictures, strict=True)]
    return grid(pictures, columns)


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
