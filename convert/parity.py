"""How far a converted model is from the Keras networks it was made from."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmedge.keras_model import Generator, KerasFaceModel
from lmedge.runtime import Faces, prior
from lmedge.scheme import IBUG49

PARITY_SEED = 1 << 20  # apart from the calibration's


def parity_latents(latent: int, count: int) -> NDArray[np.float32]:
    """The first `count` latents of the parity seed: `[count, latent]`."""
    return prior(count, latent, PARITY_SEED)


def keras_faces(generator: Any, lgen: Any, z: NDArray[np.float32], confidence: Any = None) -> Faces:
    """What Keras computes in float32 for latents `[N, Z]`."""
    return KerasFaceModel(Generator(generator), lgen, confidence, scheme=IBUG49).render(z)
