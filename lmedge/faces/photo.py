"""Reading a photo of unknown origin as upright 8-bit RGB, and cutting squares out of it."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

Image8 = NDArray[np.uint8]
Affine = NDArray[np.float64]  # [2, 3], photo pixels -> face pixels

SUFFIXES = frozenset((".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"))
MOST_MEGAPIXELS = 200
ENOUGH_PIXELS = 1024  # a JPEG is decoded at the smallest scale that leaves this many on each side


class Rejected(Exception):
    """A photo that cannot become a face. The message is the reason in a few words; reasons are counted."""


@dataclass(frozen=True)
class Photo:
    """`pixels` upright RGB `[H, W, 3]`; `scale`, pixels here for each pixel of the stored photo (below 1
    where a large JPEG was decoded smaller)."""

    pixels: Image8
    scale: tuple[float, float]


def read_photo(path: Path) -> Photo:
    """Reads a photo in any colour space or depth that Pillow knows, turned upright by its EXIF tag.

    Raises Rejected for an empty, truncated, huge or undecodable file.
    """
    try:
        if path.stat().st_size == 0:
            raise Rejected("empty file")
        with Image.open(path) as image:
            width, height = image.size
            if width * height > MOST_MEGAPIXELS * 1e6:
                raise Rejected(f"larger than {MOST_MEGAPIXELS} megapixels")
            # The scale below is that of the upright photo, as the points of a .pts file are.
            turned = image.getexif().get(0x0112, 1) in (5, 6, 7, 8)
            if image.format == "JPEG":
                image.draft("RGB", (ENOUGH_PIXELS, ENOUGH_PIXELS))
            drafted = image.size
            pixels = np.asarray(_rgb(ImageOps.exif_transpose(image)))
    except Rejected:
        raise
    except UnidentifiedImageError:
        raise Rejected("not an image") from None
    except Image.DecompressionBombError:
        raise Rejected(f"larger than {MOST_MEGAPIXELS} megapixels") from None
    except (OSError, SyntaxError, ValueError, MemoryError) as error:
        truncated = "truncated" in str(error) or "not enough" in str(error)
        raise Rejected("truncated image" if truncated else "unreadable image") from None
    scale = (drafted[0] / width, drafted[1] / height)
    return Photo(pixels, scale[::-1] if turned else scale)


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16 or 32 bit grey; Pillow would clip it at 255
        deep = np.asarray(image, dtype=np.float64)
        return Image.fromarray(np.clip(deep / 257.0 + 0.5, 0, 255).astype(np.uint8)).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image).convert("RGB")
    return image.convert("RGB")


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
