"""Does the search find what is known to be there? The test of Lipton and Tripathi (arXiv 1702.04782, section 4)."""

import dataclasses
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lmedge.inversion.invert import resolve
from lmedge.inversion.inverter import Inverter
from lmedge.inversion.options import InvertConfig
from lmedge.progress import progress
from lmedge.run import Run
from lmedge.seeds import Purpose

LARGEST_Z_ERROR = 1e-2  # of any component
LARGEST_IMAGE_ERROR = 1e-3  # mean squared, in -1..1


@dataclass(frozen=True)
class Recovery:
    """Of N generated faces: `z_errors` `[N]`, of a face's worst component; `image_errors` `[N]`, mean squared."""

    z_errors: NDArray[np.float32]
    image_errors: NDArray[np.float32]

    @property
    def recovered(self) -> float:
        """Share of the faces whose latent and whose image were found."""
        return float(((self.z_errors < LARGEST_Z_ERROR) & (self.image_errors < LARGEST_IMAGE_ERROR)).mean())

    @property
    def images_recovered(self) -> float:
        """Share of the faces whose image was found, from this latent or another."""
        return float((self.image_errors < LARGEST_IMAGE_ERROR).mean())


def self_test(config: InvertConfig) -> Recovery:
    """Draws `config.self_test` faces and inverts them with the other options, from the run's encoder where it has one
    and from the centre otherwise."""
    config = resolve(config)
    run = Run.open(config.run)
    generator = run.generator()
    encoder = run.encoder() if config.start == "encoder" else None
    config = dataclasses.replace(config, batch=min(config.batch, config.self_test))
    size = generator.output_shape[1]
    inverter = Inverter(generator, run.latent, config, np.ones((size, size), np.float32), encoder)
    true = run.latent.draw(config.self_test, config.seed, purpose=Purpose.INVERTED)
    z_errors, image_errors = [], []
    with progress("self-test", config.self_test, "faces") as advance:
        for first in range(0, len(true), config.batch):
            some = true[first : first + config.batch]
            images = np.asarray(generator(some))
            found = inverter(images, first, advance, held=some)
            z_errors.append(np.abs(found - some).max(axis=1))
            image_errors.append(np.square(np.asarray(generator(found)) - images).mean(axis=(1, 2, 3)))
    return Recovery(np.concatenate(z_errors), np.concatenate(image_errors))
