"""How near a training's faces are to real ones, measured while it runs."""

from contextlib import suppress

import numpy as np
from numpy.typing import NDArray

from lmedge.faces.records import FaceDataset
from lmedge.gan.journal import Journal
from lmedge.gan.training import Callback, Training
from lmedge.judging.distances import frechet, kernel_distance
from lmedge.judging.features import filters
from lmedge.keras_model import to_uint8
from lmedge.latent import LatentSpec

JUDGED_FACES = 1024
BATCH = 64


class _AskedToStop(Exception):
    pass


class Judge(Callback):
    """Measures Frechet and kernel distance to the real faces every N steps, on the features that come with lmedge,
    and writes them into the journal beside the distance of two halves of the real faces."""

    def __init__(self, journal: Journal, every: int, latent: LatentSpec, dataset: FaceDataset):
        self.journal, self.every, self.dataset = journal, every, dataset
        self.extract = filters()
        self.z = latent.quantile(np.random.default_rng(1).uniform(size=(JUDGED_FACES, latent.size)))
        self.real: NDArray[np.float32] | None = None
        self.halves: dict[str, float] = {}

    def after_step(self, training: Training) -> None:
        if training.step % self.every == 0:
            with suppress(_AskedToStop):
                self.journal.write(training, self.judge(training))

    def judge(self, training: Training) -> dict[str, float]:
        """The figures of the averaged generator as it is now."""

        def look_up(count: int = 0) -> None:
            """Between two batches: whoever asks the training to stop does not wait for figures."""
            if training.over:
                raise _AskedToStop

        if self.real is None:
            count = min(2 * JUDGED_FACES, len(self.dataset))
            some = np.random.default_rng(2).choice(len(self.dataset), count, replace=False)
            real = self.extract(self.dataset.images(some), look_up)
            self.real, other = real[: count // 2], real[count // 2 :]
            self.halves = {"frechet_real": frechet(self.real, other), "kernel_real": kernel_distance(self.real, other)}
        z = self.z[: len(self.real)]
        faces = []
        for i in range(0, len(z), BATCH):
            look_up()
            faces.append(to_uint8(training.average(z[i : i + BATCH])))
        ours = self.extract(np.concatenate(faces), look_up)
        return {"frechet": frechet(ours, self.real), "kernel": kernel_distance(ours, self.real), **self.halves}
