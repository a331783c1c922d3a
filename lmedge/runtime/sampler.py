"""Faces with landmarks from a bundle."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lmedge.errors import LmedgeError, UsageError
from lmedge.landmarks import in_pixels
from lmedge.runtime import interpreter as interpreters
from lmedge.runtime.bundle import SIGNATURE, Bundle
from lmedge.runtime.latents import between, prior


@dataclass(frozen=True)
class Faces:
    """`images` uint8 `[N, H, W, 3]` RGB; `landmarks` float32 `[N, K, 2]` pixels; `latents` `[N, Z]`."""

    images: NDArray[np.uint8]
    landmarks: NDArray[np.float32]
    latents: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.images)


class FaceSampler:
    """Draws faces with landmarks. Not thread-safe: one a thread.

    `bundle` is a folder made by `lmedge export`, or a .tflite file of one. `variant` None takes the one that
    suits the interpreter; `interpreter` is "auto", "litert", "tflite" or "tensorflow"; `threads` 0 is one a
    core. Raises UsageError or LmedgeError, with a sentence that says what to do.
    """

    def __init__(
        self,
        bundle: Bundle | Path | str,
        variant: str | None = None,
        interpreter: str = "auto",
        threads: int = 0,
    ):
        if threads < 0:
            raise UsageError(f"--threads must be at least 0, not {threads}.")
        self.bundle = bundle if isinstance(bundle, Bundle) else Bundle.open(bundle)
        self.interpreter = interpreters.choose(interpreter)
        self.variant = variant or self._suitable()
        path = self.bundle.model(self.variant)
        self._interpreter = interpreters.load(self.interpreter, str(path), threads)
        signatures = self._interpreter.get_signature_list()
        if SIGNATURE not in signatures:
            raise LmedgeError(f"{path} has no signature {SIGNATURE!r}; it is not a model of lmedge.")
        if set(signatures[SIGNATURE]["inputs"]) != {"z"} or not {"image", "landmarks"} <= set(
            signatures[SIGNATURE]["outputs"]
        ):
            raise LmedgeError(f"{path}: its signature is not z -> image, landmarks.")
        self._run = self._interpreter.get_signature_runner(SIGNATURE)
        shape = tuple(self._run.get_input_details()["z"]["shape"])
        outputs = self._run.get_output_details()
        image, points = tuple(outputs["image"]["shape"]), tuple(outputs["landmarks"]["shape"])
        if len(shape) != 2 or len(image) != 4 or image[-1] != 3 or len(points) != 3 or points[-1] != 2:
            raise LmedgeError(f"{path}: its shapes {shape} -> {image}, {points} are not those of a face model.")
        self.latent, self.height, self.width = int(shape[1]), int(image[1]), int(image[2])
        self.scheme = self.bundle.scheme(int(points[1]))

    def _suitable(self) -> str:
        variants = self.bundle.variants
        preferred = interpreters.PREFERRED_VARIANTS[self.interpreter]
        return next((name for name in preferred if name in variants), next(iter(variants)))

    def render(self, latents: NDArray[np.float32]) -> Faces:
        """The faces of given latents `[N, Z]`. Raises UsageError for latents of another length."""
        latents = np.asarray(latents, np.float32)
        if latents.ndim != 2 or latents.shape[1] != self.latent:
            raise UsageError(f"latents of shape {latents.shape} are not [N, {self.latent}], as this model takes.")
        count, points = len(latents), self.scheme.count
        images = np.empty((count, self.height, self.width, 3), np.uint8)
        landmarks = np.empty((count, points, 2), np.float32)
        for i in range(count):
            outputs = self._run(z=latents[i : i + 1])
            images[i], landmarks[i] = outputs["image"][0], outputs["landmarks"][0]
        return Faces(images, in_pixels(landmarks, self.width, self.height), latents)

    def sample(self, count: int, seed: int = 0, first: int = 0) -> Faces:
        """Faces `first` to `first + count` of a seed; the same seed gives the same latents everywhere."""
        return self.render(prior(count, self.latent, seed, first))

    def stream(self, count: int, seed: int = 0, chunk: int = 16) -> Iterator[Faces]:
        """`sample` in chunks, so that any number fits into memory."""
        for first in range(0, count, chunk):
            yield self.sample(min(chunk, count - first), seed, first)

    def interpolate(self, seed: int, to_seed: int, steps: int) -> Faces:
        """Faces on the line from the first face of one seed to that of another, both included."""
        ends = prior(1, self.latent, seed)[0], prior(1, self.latent, to_seed)[0]
        return self.render(between(*ends, steps))
