"""Faces of a Keras generator, and what Face Mesh sees on them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmedge.faces.annotate import FaceMesh
from lmedge.gan.networks import to_uint8
from lmedge.landmarks import Scheme

BATCH = 64


def draw(generator: Any, z: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Faces `[N, H, W, 3]` of latents `[N, Z]`."""
    return np.concatenate([to_uint8(generator(z[i : i + BATCH])) for i in range(0, len(z), BATCH)])


@dataclass(frozen=True)
class Annotated:
    """The latents on whose faces Face Mesh finds landmarks: their indices `at` `[M]` and `landmarks` `[M, K, 2]` in
    pixels."""

    at: NDArray[np.int64]
    landmarks: NDArray[np.float32]


def annotated(generator: Any, z: NDArray[np.float32], scheme: Scheme, advance: Callable[..., None]) -> Annotated:
    """Draws the faces of latents `[N, Z]` and looks for their landmarks."""
    at, landmarks = [], []
    with FaceMesh() as mesh:
        for start in range(0, len(z), BATCH):
            faces = draw(generator, z[start : start + BATCH])
            for i, face in enumerate(faces, start):
                points = mesh.of_face(face, scheme)
                if points is not None:
                    at.append(i)
                    landmarks.append(points)
            advance(len(faces))
    return Annotated(np.array(at, np.int64), np.array(landmarks, np.float32).reshape(-1, scheme.count, 2))
