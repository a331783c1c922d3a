"""How far a converted model is from the Keras networks it was made from."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmedge.keras_model import Generator
from lmedge.landmarks import in_pixels
from lmedge.latent import Latents, LatentSpec
from lmedge.runtime import Faces
from lmedge.runtime.face_model import finite
from lmedge.seeds import Purpose


def parity_latents(latent: LatentSpec, count: int) -> Latents:
    """The latents `[count, Z]` of every comparison."""
    return latent.draw(count, purpose=Purpose.PARITY)


def keras_faces(generator: Any, lgen: Any, z: NDArray[np.float32], confidence: Any = None) -> Faces:
    """What Keras computes in float32 for latents `[N, Z]`."""
    drawing = Generator(generator)
    points = in_pixels(finite(lgen(z, training=False), "L-Gen"), drawing.width, drawing.height)
    sure = None if confidence is None else finite(confidence(z, training=False), "the confidence")[:, 0]
    return Faces(drawing.images(z), points, z, sure)
