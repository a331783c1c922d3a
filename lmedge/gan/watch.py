"""Callbacks that judge a training while it runs, and stop one that has gone wrong."""

from contextlib import suppress
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from lmedge.faces.records import FaceDataset
from lmedge.gan.callbacks import Checkpoints, Journal
from lmedge.gan.health import Finding, Health
from lmedge.judging.distances import diversity, frechet, kernel_distance
from lmedge.judging.features import filters
from lmedge.keras_model import to_uint8
from lmedge.progress import console

JUDGED_FACES = 1024
DIVERSITY_FACES = 128
BATCH = 64


class Watch(keras.callbacks.Callback):
    """Looks at every line of the journal and at the faces of fixed latents; says what goes wrong, once, on the
    console and in the log; ends a training that is lost. Comes after the journal."""

    def __init__(self, health: Health, journal: Journal, saver: Checkpoints, dataset: FaceDataset, batch: int):
        super().__init__()
        self.health, self.journal, self.saver, self.batch = health, journal, saver, batch
        self.lost: Finding | None = None
        some = np.random.default_rng(0).choice(len(dataset), min(DIVERSITY_FACES, len(dataset)), replace=False)
        self.real = diversity(dataset.images(np.sort(some)))

    @property
    def kimg(self) -> float:
        """Thousands of images seen."""
        return self.model.done * self.batch / 1000

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        logs = logs or {}
        if not all(np.isfinite(float(value)) for value in logs.values()):
            # At once: the next lines, pictures and checkpoints would hold nothing.
            self._act(self.health.look(self.kimg, {name: float(value) for name, value in logs.items()}))
        elif self.model.done % self.journal.every == 0:
            self._act(self.health.look(self.kimg, self.journal.line))

    def look_at_faces(self, faces: NDArray[np.uint8]) -> None:
        """Faces of fixed latents, as `Pictures` draws them."""
        ratio = diversity(faces) / max(self.real, 1e-9)
        self.journal.write(self.model.done, {"diversity": ratio})
        self._act(self.health.look_at_faces(self.kimg, ratio))

    def _act(self, findings: list[Finding]) -> None:
        for finding in findings:
            self.journal.write(self.model.done, {"event": finding.text})
            console.print(f"train-gan: {finding.text}")
            if finding.stop and self.lost is None:
                self.lost = finding
                self.model.stop_training = self.saver.failed = True


class _AskedToStop(Exception):
    pass


class Judge(keras.callbacks.Callback):
    """Measures Frechet and kernel distance to the real faces every N steps, on the features that come with lmedge,
    and writes them into the journal beside the distance of two halves of the real faces."""

    def __init__(self, journal: Journal, every: int, latent: int, dataset: FaceDataset):
        super().__init__()
        self.journal, self.every, self.dataset = journal, every, dataset
        self.extract = filters()
        self.z = np.random.default_rng(1).uniform(-1, 1, (JUDGED_FACES, latent)).astype(np.float32)
        self.real: NDArray[np.float32] | None = None
        self.halves: dict[str, float] = {}

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if self.model.done % self.every == 0:
            with suppress(_AskedToStop):
                self.journal.write(self.model.done, self.judge())

    def _look_up(self, count: int = 0) -> None:
        """Between two batches: whoever asks the training to stop does not wait for figures."""
        if self.model.stop_training:
            raise _AskedToStop

    def judge(self) -> dict[str, float]:
        """The figures of the averaged generator as it is now."""
        if self.real is None:
            count = min(2 * JUDGED_FACES, len(self.dataset))
            some = np.random.default_rng(2).choice(len(self.dataset), count, replace=False)
            real = self.extract(self.dataset.images(some), self._look_up)
            self.real, other = real[: count // 2], real[count // 2 :]
            self.halves = {"frechet_real": frechet(self.real, other), "kernel_real": kernel_distance(self.real, other)}
        z = self.z[: len(self.real)]
        faces = []
        for i in range(0, len(z), BATCH):
            self._look_up()
            faces.append(to_uint8(self.model.ema_generator(z[i : i + BATCH])))
        ours = self.extract(np.concatenate(faces), self._look_up)
        return {"frechet": frechet(ours, self.real), "kernel": kernel_distance(ours, self.real), **self.halves}
