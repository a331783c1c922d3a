"""Faces of a generator."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmedge.keras_model import Generator


def draw(generator: Any, z: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Faces `[N, H, W, 3]` of latents `[N, Z]`."""
    return Generator(generator).images(z)
