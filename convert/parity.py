"""Latents on which a converted model is held against the Keras networks it was made from."""

from lmedge.latent import Latents, LatentSpec
from lmedge.seeds import Purpose


def parity_latents(latent: LatentSpec, count: int) -> Latents:
    """The latents `[count, Z]` of every comparison."""
    return latent.draw(count, purpose=Purpose.PARITY)
