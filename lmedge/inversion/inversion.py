"""The inversion of the faces of a dataset, a part at a time."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmedge.faces.records import FaceDataset
from lmedge.gan.held_out import unseen
from lmedge.inversion.encoder import encoder_of
from lmedge.inversion.focus import face_weights
from lmedge.inversion.inverter import Inverter, not_shown
from lmedge.inversion.latents import explained, psnr
from lmedge.inversion.search import Search
from lmedge.landmarks import normalised
from lmedge.run import Run

Job = tuple[int, NDArray[np.int64]]  # the number of a part, and which faces of the dataset it has
Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Inversion:
    """`inversion(job)` -> what is kept of the faces of a part; the same job gives the same arrays anywhere."""

    dataset: FaceDataset
    generator: Any
    inverter: Inverter

    @classmethod
    def of(cls, run: Run, generator: Any, dataset: FaceDataset, search: Search) -> "Inversion":
        """The search for faces of `dataset`, with the run's encoder where it starts from one: it is trained where there
        is none."""
        weights = face_weights(dataset.landmarks, dataset.size, search.background)
        encoder = None
        if search.start == "encoder":
            seen = np.flatnonzero(~unseen(run, dataset.groups))
            encoder = encoder_of(run, generator, dataset.part(seen) if len(seen) else dataset, weights, search)
        return cls(dataset, generator, Inverter(generator, run.latent, search, weights, encoder))

    def __call__(self, job: Job, advance: Callable[[int], None] = not_shown) -> Arrays:
        number, indices = job
        dataset, batch = self.dataset, self.inverter.how.batch
        faces = dataset.images(indices).astype(np.float32) / 127.5 - 1.0
        landmarks = normalised(dataset.landmarks[indices], dataset.size, dataset.size)
        z = self.inverter(faces, number, advance, landmarks=landmarks)
        images = np.concatenate([np.asarray(self.generator(z[i : i + batch])) for i in range(0, len(z), batch)])
        return {
            "z": z,
            "psnr": psnr(images, faces),
            "explained": explained(images, faces),
            "index": indices,
            "landmarks": landmarks,
            "groups": dataset.groups[indices],
            "sources": dataset.sources[indices],
        }
