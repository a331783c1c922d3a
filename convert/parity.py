"""How far a converted model is from the Keras networks it was made from."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmedge.gan.networks import to_uint8
from lmedge.landmarks import in_pixels
from lmedge.runtime import Faces, prior
from lmedge.runtime.faces import finite

PARITY_SEED = 1 << 20  # apart from the calibration's


def parity_latents(latent: int, count: int) -> NDArray[np.float32]:
    """The first `count` latents of the parity seed: `[count, latent]`."""
    return prior(count, latent, PARITY_SEED)


def keras_faces(generator: Any, lgen: Any, z: NDArray[np.float32], confidence: Any = None) -> Faces:
    """What Keras computes in float32 for latents `[N, Z]`."""
    _, height, width, _ = generator.output_shape
    images = to_uint8(finite(generator(z, training=False), "the generator"))
    sure = None if confidence is None else np.asarray(confidence(z, training=False))[:, 0]
    return Faces(images, in_pixels(finite(lgen(z, training=False), "L-Gen"), width, height), z, sure)
