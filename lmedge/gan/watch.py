"""Who stops a training that has gone wrong."""

import math

import numpy as np

from lmedge.faces.records import FaceDataset
from lmedge.gan.health import Finding, Health
from lmedge.gan.journal import Journal
from lmedge.gan.training import Callback, Training
from lmedge.judging.distances import diversity
from lmedge.progress import console

DIVERSITY_FACES = 128


class Watch(Callback):
    """Looks at every line of the journal and at the faces of fixed latents; says what goes wrong, once, on the
    console and in the log; ends a training that is lost. Comes after those that make lines and faces."""

    def __init__(self, health: Health, journal: Journal, dataset: FaceDataset):
        self.health, self.journal = health, journal
        some = np.random.default_rng(0).choice(len(dataset), min(DIVERSITY_FACES, len(dataset)), replace=False)
        self.real = diversity(dataset.images(np.sort(some)))

    def begin(self, training: Training) -> None:
        training.suspicious = self.health.suspicious

    def after_step(self, training: Training) -> None:
        if not all(map(math.isfinite, training.figures.values())):
            # At once: the next lines, pictures and checkpoints would hold nothing.
            self._act(training, self.health.look(training.kimg, training.figures))
        elif training.line is not None:
            self._act(training, self.health.look(training.kimg, training.line))
        if training.faces is not None:
            ratio = diversity(training.faces) / max(self.real, 1e-9)
            self.journal.write(training, {"diversity": ratio})
            self._act(training, self.health.look_at_faces(training.kimg, ratio))
        training.suspicious = self.health.suspicious

    def _act(self, training: Training, findings: list[Finding]) -> None:
        for finding in findings:
            self.journal.write(training, {"event": finding.text})
            console.print(f"train-gan: {finding.text}")
        training.findings += findings
