"""Many faces at once: an interpreter a thread."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue

import numpy as np
from numpy.typing import NDArray

from lmedge.bounds import cores, require_workers
from lmedge.latent import Latents
from lmedge.runtime.bundle import Bundle
from lmedge.runtime.face_model import Drawn, FaceModel
from lmedge.runtime.sampler import FaceSampler
from lmedge.variants import InterpreterName, Variant

PART = 8  # faces that a thread draws before another may have its interpreter


class FacePool(FaceModel):
    """The face model of a bundle, many faces on all cores, and thread-safe: any thread may call it, and those that call
    at once share the interpreters.

    `workers`: interpreters, each in a thread of its own (0: one a core). Faces are the same as a FaceSampler's of the
    same variant, in the same order; one call for many is about as fast as a FaceSampler with as many threads, and one
    for a single face as one with one thread. `close`, or a `with` block, ends the threads. Raises as FaceSampler does.
    """

    def __init__(
        self,
        bundle: Bundle | Path | str | None = None,
        variant: Variant | None = None,
        interpreter: InterpreterName = "auto",
        workers: int = 0,
    ):
        self.workers = require_workers("workers", workers) or cores()
        opened = Bundle.of(bundle)
        samplers = [FaceSampler(opened, variant, interpreter, 1) for _ in range(self.workers)]
        first = samplers[0]
        self.latent, self.width, self.height, self.scheme = first.latent, first.width, first.height, first.scheme
        self.knows_confidence, self.knows_point_confidence = first.knows_confidence, first.knows_point_confidence
        self.provenance, self.training = first.provenance, first.training
        self.name, self.version, self.backing, self.packages = first.name, first.version, first.backing, first.packages
        self.variant, self.clean = first.variant, first.clean
        self._idle: SimpleQueue[FaceSampler] = SimpleQueue()
        for sampler in samplers:
            self._idle.put(sampler)
        self._threads = ThreadPoolExecutor(self.workers, "lmedge-faces")

    def __enter__(self) -> "FacePool":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the threads when they have drawn what was asked for."""
        self._threads.shutdown()

    def _drawn(self, z: Latents) -> Drawn:
        parts = [z[i : i + PART] for i in range(0, len(z), PART)] or [z]
        images, points, *sure = zip(*self._threads.map(self._part, parts), strict=True)
        confidence, of_points = (None if each[0] is None else np.concatenate(each) for each in sure)
        return Drawn(np.concatenate(images), np.concatenate(points), confidence, of_points)

    def _part(self, z: Latents) -> Drawn:
        with self._sampler() as sampler:
            return sampler._drawn(z)

    def _points(self, z: Latents) -> NDArray[np.float32]:
        with self._sampler() as sampler:
            return sampler._points(z)

    @contextmanager
    def _sampler(self) -> Iterator[FaceSampler]:
        sampler = self._idle.get()
        try:
            yield sampler
        finally:
            self._idle.put(sampler)
