"""Does the search find what is known to be there? The test of Lipton and Tripathi (arXiv 1702.04782, section 4)."""

import dataclasses
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lmedge.inversion.inverter import Inverter
from lmedge.inversion.options import CheckInversionConfig
from lmedge.inversion.resolve import decided, filled, start_alone
from lmedge.inversion.search import Search
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


def resolve(config: CheckInversionConfig) -> CheckInversionConfig:
    """The options with everything filled in. Raises UsageError for an encoder where there is none."""
    return filled(config, _search(config, Run.open(config.run)))


def _search(config: CheckInversionConfig, run: Run) -> Search:
    """All of the picture counts: where the face is on it matters to photos."""
    search = decided(config, run, start_alone(config, run), alone=True)
    return dataclasses.replace(search, background=1.0, batch=min(config.batch, config.count))


def check_inversion(config: CheckInversionConfig) -> Recovery:
    """Draws `config.count` faces and inverts them, from the run's encoder where it has one and from the centre
    otherwise."""
    run = Run.open(config.run)
    search = _search(config, run)
    generator = run.generator()
    encoder = run.encoder() if search.start == "encoder" else None
    size = generator.output_shape[1]
    inverter = Inverter(generator, run.latent, search, np.ones((size, size), np.float32), encoder)
    true = run.latent.draw(config.count, search.seed, purpose=Purpose.INVERTED)
    z_errors, image_errors = [], []
    with progress("check inversion", config.count, "faces") as advance:
        for first in range(0, len(true), search.batch):
            some = true[first : first + search.batch]
            images = np.asarray(generator(some))
            found = inverter(images, first, advance, held=some)
            z_errors.append(np.abs(found - some).max(axis=1))
            image_errors.append(np.square(np.asarray(generator(found)) - images).mean(axis=(1, 2, 3)))
    return Recovery(np.concatenate(z_errors), np.concatenate(image_errors))
