"""How far a converted model is from the Keras networks it was made from."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmedge.keras_model import Generator, KerasFaceModel
from lmedge.latent import Latents, LatentSpec
from lmedge.runtime import Faces
from lmedge.scheme import IBUG49
from lmedge.seeds import Purpose


def parity_latents(latent: LatentSpec, count: int) -> Latents:
    """The latents `[count, Z]` of every comparison."""
    return latent.draw(count, purpose=Purpose.PARITY)


def keras_faces(generator: Any, lgen: Any, z: NDArray[np.float32], confidence: Any = None) -> Faces:
    """What Keras computes in float32 for latents `[N, Z]`."""
    return KerasFaceModel(Generator(generator), lgen, confidence, scheme=IBUG49).render(z)
