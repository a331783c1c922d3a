"""Many faces at once: an interpreter a thread."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue

import numpy as np
from numpy.typing import NDArray

from lmedge.bounds import cores, require_workers
from lmedge.runtime.bundle import Bundle
from lmedge.runtime.faces import Drawing, Faces, numbers
from lmedge.runtime.sampler import FaceSampler
from lmedge.variants import InterpreterName, Variant

PART = 8  # faces that a thread draws before another may have its interpreter


class FacePool(Drawing):
    """Draws as a FaceSampler does, many faces on all cores, and is thread-safe: any thread may call it, and those that
    call at once share the interpreters.

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
        self.latent, self.height, self.width = samplers[0].latent, samplers[0].height, samplers[0].width
        self.scheme, self.variant = samplers[0].scheme, samplers[0].variant
        self.knows_confidence = samplers[0].knows_confidence
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

    def render(self, latents: NDArray[np.float32]) -> Faces:
        """The faces of given latents `[N, Z]`. Raises UsageError for latents of another length."""
        latents = numbers(latents)
        parts = [latents[i : i + PART] for i in range(0, len(latents), PART)] or [latents]
        return Faces.joined(list(self._threads.map(self._part, parts)))

    def _part(self, latents: NDArray[np.float32]) -> Faces:
        with self._sampler() as sampler:
            return sampler.render(latents)

    @contextmanager
    def _sampler(self) -> Iterator[FaceSampler]:
        sampler = self._idle.get()
        try:
            yield sampler
        finally:
            self._idle.put(sampler)
