"""How far a converted model is from the Keras networks it was made from."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from lmedge.gan.networks import to_uint8
from lmedge.landmarks import Scheme, in_pixels, nme
from lmedge.runtime import FaceSampler, prior

PARITY_SEED = 1 << 20  # apart from the calibration's


@dataclass(frozen=True)
class Parity:
    """Against Keras in float32 on `latents` fresh latents: PSNR of the images (dB, capped at 99) over all of
    them, the largest difference of a level (0..255), mean NME of the landmarks (a share, 0.01 is 1 %)."""

    latents: int
    image_psnr: float
    image_max_levels: int
    landmark_nme: float


def measure(sampler: FaceSampler, generator: Any, lgen: Any, scheme: Scheme, count: int = 64) -> Parity:
    """Compares the model in `sampler` with the networks."""
    z = prior(count, sampler.latent, PARITY_SEED)
    faces = sampler.render(z)
    images = to_uint8(generator(z, training=False))
    landmarks = in_pixels(np.asarray(lgen(z, training=False)), sampler.width, sampler.height)
    difference = faces.images.astype(np.float64) - images
    mse = max(float((difference**2).mean()), 255.0**2 / 10**9.9)
    return Parity(
        latents=count,
        image_psnr=round(10 * float(np.log10(255.0**2 / mse)), 2),
        image_max_levels=int(np.abs(difference).max()),
        landmark_nme=float(f"{nme(faces.landmarks, landmarks, scheme).mean():.3g}"),
    )
