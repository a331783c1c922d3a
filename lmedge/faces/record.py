"""One stored face. Apart from the dataset so that worker processes need no TensorFlow."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from lmedge.affine import Image8
from lmedge.errors import LmedgeError


@dataclass(frozen=True)
class Record:
    """One face as it is stored: `png` bytes, `landmarks` `[K, 2]` pixels, where it came from, and what it is said to
    show, `attributes` `[A]` (see `lmedge.faces.attributes`), in a dataset that has some."""

    png: bytes
    landmarks: NDArray[np.float32]
    source: str
    group: str
    attributes: NDArray[np.float32] | None = None


# A worker answers a job with the face, or with (name, reason).
Answer = Record | tuple[str, str]


def encode_png(pixels: Image8) -> bytes:
    """RGB `[H, W, 3]` as PNG. Light compression: PNG of photographs barely shrinks with more."""
    done, data = cv2.imencode(".png", pixels[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 3])
    if not done:
        raise LmedgeError(f"a face of shape {pixels.shape} could not be encoded as PNG.")
    return data.tobytes()
