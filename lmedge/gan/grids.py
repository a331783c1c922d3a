"""Pictures of a training while it runs."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lmedge.fetched import origin
from lmedge.gan.training import Callback, Training
from lmedge.keras_model import to_uint8
from lmedge.latent import LatentSpec
from lmedge.pictures import SHEET_FACES, contact_sheet
from lmedge.progress import console
from lmedge.run import Run
from lmedge.storage import replacing

FIXED_FACES = 128  # latents that are drawn again and again
REAL_FACES = "real.png"


class Grids(Callback):
    """Grids of the averaged generator's faces from fixed latents every N steps, the first one before the first step,
    beside one of `real` faces."""

    def __init__(self, run: Run, every: int, latent: LatentSpec, real: Callable[[], NDArray[np.uint8]], writes: bool):
        self.run, self.every, self.real, self.writes = run, every, real, writes
        self.z = latent.quantile(np.random.default_rng(0).uniform(size=(FIXED_FACES, latent.size)))

    def begin(self, training: Training) -> None:
        if not self.writes:
            return
        self.run.samples.mkdir(exist_ok=True)
        if not (self.run.samples / REAL_FACES).exists():
            self._write(self.run.samples / REAL_FACES, self.real())
        if not any(self.run.samples.glob("step-*.png")):
            self._write(self._file(training), self._draw(training))
        newest = max(path.name for path in self.run.samples.glob("step-*.png"))
        console.print(f"train-gan: pictures in {origin(self.run.samples)}: {REAL_FACES}, {newest}, more as it learns")

    def after_step(self, training: Training) -> None:
        if training.step % self.every:
            return
        training.faces = self._draw(training)
        if self.writes:
            self._write(self._file(training), training.faces)

    def _file(self, training: Training) -> Path:
        return self.run.samples / f"step-{training.step:08}.png"

    def _draw(self, training: Training) -> NDArray[np.uint8]:
        return to_uint8(training.average(self.z))

    def _write(self, path: Path, images: NDArray[np.uint8]) -> None:
        with replacing(path) as beside:
            Image.fromarray(contact_sheet(images[:SHEET_FACES], pixels=images.shape[2])).save(beside, "PNG")
