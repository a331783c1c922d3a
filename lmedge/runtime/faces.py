"""Faces with landmarks, and the ways to ask for some."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count as counting
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmedge.errors import UsageError
from lmedge.landmarks import in_pixels, normalised
from lmedge.runtime.latents import around, between, prior

Latents = NDArray[np.float32]


@dataclass(frozen=True)
class Faces:
    """`images` uint8 `[N, H, W, 3]` RGB; `landmarks` float32 `[N, K, 2]` pixels; `latents` `[N, Z]`; `confidence`
    `[N]`, about the share of faces whose landmarks are expected to be less exact, or None where there is none."""

    images: NDArray[np.uint8]
    landmarks: NDArray[np.float32]
    latents: Latents
    confidence: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, part: slice | NDArray[Any]) -> "Faces":
        return Faces(**{name: values[part] for name, values in self.arrays().items()})

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What is there, by name."""
        return {name: values for name, values in vars(self).items() if values is not None}

    def landmarks_at(self, width: int, height: int) -> NDArray[np.float32]:
        """Landmarks `[N, K, 2]` in pixels of the faces scaled to `width` by `height`; (0, 0) is the centre of the first
        pixel there too. Raises UsageError for a size below 1."""
        if min(width, height) < 1:
            raise UsageError(f"a picture of {width} x {height} pixels has no landmarks; both must be at least 1.")
        return in_pixels(normalised(self.landmarks, self.images.shape[2], self.images.shape[1]), width, height)

    @staticmethod
    def joined(parts: "list[Faces]") -> "Faces":
        """Faces of the same model, one after the other."""
        return Faces(**{name: np.concatenate([part.arrays()[name] for part in parts]) for name in parts[0].arrays()})


class Drawing(ABC):
    """What draws the faces of latents, and therefore all of these; `latent`: how long one is."""

    latent: int

    @abstractmethod
    def render(self, latents: Latents) -> Faces:
        """The faces of given latents `[N, Z]`. Raises UsageError for latents of another length."""

    def sample(self, count: int, seed: int = 0, first: int = 0) -> Faces:
        """Faces `first` to `first + count` of a seed; the same seed gives the same latents everywhere."""
        return self.render(prior(count, self.latent, seed, first))

    def stream(self, count: int | None = None, seed: int = 0, chunk: int = 16) -> Iterator[Faces]:
        """`sample` in chunks, so that any number fits into memory; `count` None never ends."""
        for first in range(0, count, chunk) if count is not None else counting(0, chunk):
            yield self.sample(chunk if count is None else min(chunk, count - first), seed, first)

    def interpolate(self, seed: int, to_seed: int, steps: int) -> Faces:
        """Faces on the line from the first face of one seed to that of another, both included."""
        return self.between(prior(1, self.latent, seed)[0], prior(1, self.latent, to_seed)[0], steps)

    def between(self, z: Latents, to_z: Latents, steps: int) -> Faces:
        """Faces on the line from one latent `[Z]` to another, both included. Raises UsageError for latents of another
        length."""
        return self.render(between(self.one(z), self.one(to_z), steps))

    def near(self, z: Latents, count: int, radius: float = 0.2, seed: int = 0) -> Faces:
        """Faces that resemble the one of `z` `[Z]`: up to `radius` away from it in each component, inside of the
        prior's cube. A radius of 0.2 keeps the person, one of 1 hardly. Raises UsageError for a latent of another
        length or a radius below 0."""
        if not radius >= 0:
            raise UsageError(f"a radius of {radius} is not one; take some from 0 (the face itself) to 2 (any face).")
        return self.render(around(self.one(z)[None], prior(count, self.latent, seed), radius))

    def one(self, z: Latents) -> Latents:
        """A latent `[Z]`, or UsageError."""
        z = np.asarray(z, np.float32)
        if z.shape != (self.latent,):
            raise UsageError(f"a latent of shape {z.shape} is not [{self.latent}], as this model takes.")
        return z
