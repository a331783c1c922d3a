"""A face model: what draws the faces of latents and says where their landmarks are. A bundle's is run by TFLite
(`FaceSampler`, `FacePool`), a run's by Keras."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from itertools import count as counting
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lmedge.bounds import LEAST_TRUNCATION, require, require_seed, require_whole
from lmedge.clean import Clean
from lmedge.errors import LmedgeError, UsageError
from lmedge.landmarks import in_pixels
from lmedge.latent import Latents, LatentSpec, around, between, uniform
from lmedge.provenance import Provenance
from lmedge.runtime.faces import Faces
from lmedge.scheme import Scheme

AT_ONCE = 1_000_000  # faces in memory: 12 GB of 64 pixels


class Drawn(NamedTuple):
    """`images` uint8 `[N, H, W, 3]`, normalised `points` `[N, K, 2]`; `confidence` `[N]` and `point_confidence`
    `[N, K]`, or None."""

    images: NDArray[np.uint8]
    points: NDArray[np.float32]
    confidence: NDArray[np.float32] | None = None
    point_confidence: NDArray[np.float32] | None = None


class FaceModel(ABC):
    """`render(z)` draws the faces of latents; everything else here says of which.

    `latent`: what it draws from. `width`, `height` of its faces; `scheme` of their landmarks; `knows_confidence`: does
    it say how sure it is of them? `knows_point_confidence`: and of each of them? `clean`: what it shows first.
    `provenance` of the photos and landmarks that it learnt from; `name` and `version`; `training`, what bundles and
    cards say of it; `backing`: what computes it, in words; `packages` whose versions matter for what it draws.
    """

    latent: LatentSpec
    width: int
    height: int
    scheme: Scheme
    knows_confidence: bool
    knows_point_confidence = False
    clean = Clean()
    provenance: Provenance
    name: str
    version: str
    training: dict[str, Any]
    backing: str
    packages: tuple[str, ...]

    @abstractmethod
    def _drawn(self, z: Latents) -> Drawn:
        """What the networks make of latents `[N, Z]`; N may be 0. Raises LmedgeError for what is not finite."""

    @abstractmethod
    def _points(self, z: Latents) -> NDArray[np.float32]:
        """The normalised landmarks `[N, K, 2]` alone. Raises as `_drawn` does."""

    @property
    def elsewhere(self) -> "Callable[[], FaceModel] | None":
        """Opens the same model in another process, for one thread; None where it stays in this one."""
        return None

    def render(self, latents: Latents) -> Faces:
        """The faces of given latents `[N, Z]`. Raises UsageError for latents of another length, LmedgeError for a
        model that gives no numbers."""
        z = self._checked(latents)
        drawn = self._drawn(z)
        points = in_pixels(drawn.points, self.width, self.height)
        return Faces(drawn.images, points, z, drawn.confidence, self.scheme, drawn.point_confidence)

    def landmarks(self, latents: Latents) -> NDArray[np.float32]:
        """The landmarks `[N, K, 2]` in pixels of latents `[N, Z]`, without drawing the faces. Raises as `render`
        does."""
        return in_pixels(self._points(self._checked(latents)), self.width, self.height)

    def latents(self, count: int, seed: int = 0, first: int = 0, truncation: float | None = None) -> Latents:
        """Latents `first` to `first + count` of a seed, `[count, Z]`, the same everywhere. `truncation`: the share of
        their distance from the most usual person that people are drawn at; None: what the model recommends, 1: all
        that it draws. Raises UsageError for numbers out of range."""
        z = self.latent.draw(count, seed, first)
        if truncation is None:
            return self.latent.truncated(z, self.clean.truncation)
        require("truncation", truncation, LEAST_TRUNCATION, 1)
        return self.latent.truncated(z, self.latent.by_block(truncation))

    def sample(self, count: int, seed: int = 0, first: int = 0, truncation: float | None = None) -> Faces:
        """Faces `first` to `first + count` of a seed (0 to 2^64 - 1), of the latents of `latents`. Raises UsageError
        for numbers out of range, and for more faces than `AT_ONCE`."""
        require_whole("count", count, 0, AT_ONCE, " (take `stream` for more)")
        return self.render(self.latents(count, seed, first, truncation))

    def stream(
        self, count: int | None = None, seed: int = 0, chunk: int = 16, truncation: float | None = None
    ) -> Iterator[Faces]:
        """`sample` in chunks, so that any number fits into memory; `count` None never ends. Raises UsageError as
        `sample` does, at once."""
        require_seed("seed", seed)
        require_whole("chunk", chunk, 1, AT_ONCE)
        if count is not None:
            require_whole("count", count, 0)
        return self._chunks(count, seed, chunk, truncation)

    def _chunks(self, count: int | None, seed: int, chunk: int, truncation: float | None) -> Iterator[Faces]:
        for first in range(0, count, chunk) if count is not None else counting(0, chunk):
            yield self.sample(chunk if count is None else min(chunk, count - first), seed, first, truncation)

    def interpolate(self, seed: int, to_seed: int, steps: int, truncation: float | None = None) -> Faces:
        """Faces on the line from the first face of one seed to that of another, both included."""
        z, to_z = (self.latents(1, end, truncation=truncation)[0] for end in (seed, to_seed))
        return self.between(z, to_z, steps)

    def between(self, z: Latents, to_z: Latents, steps: int) -> Faces:
        """Faces on the line from one latent `[Z]` to another, both included. Raises UsageError for latents of another
        length and fewer than two steps."""
        require_whole("steps", steps, 2, AT_ONCE)
        return self.render(between(self.one(z), self.one(to_z), steps))

    def near(self, z: Latents, count: int, radius: float = 0.2, seed: int = 0) -> Faces:
        """Faces that resemble the one of `z` `[Z]`: up to `radius` away from it in each component, inside of the
        latent's bounds. A radius of 0.2 keeps the person, one of 1 hardly. Raises UsageError for a latent of another
        length, a count below 0, or a radius that is not between 0 (the face itself) and 2 (any face)."""
        require_whole("count", count, 0, AT_ONCE)
        require("radius", radius, 0, 2)
        return self.render(around(self.latent, self.one(z)[None], uniform(count, self.latent.size, seed), radius))

    def one(self, z: Latents) -> Latents:
        """A latent `[Z]`, or UsageError."""
        latent = numbers(z)
        if latent.shape != (self.latent.size,):
            raise UsageError(f"a latent of shape {latent.shape} is not [{self.latent.size}], as this model takes.")
        return latent

    def facts(self) -> dict[str, Any]:
        """What a dataset card says of the generator."""
        return {
            "generator": f"{self.name} {self.version}, {self.backing}",
            "version": self.version,
            "training": self.training,
            "licence": self.provenance.licence,
            "provenance": self.provenance.by_lgen(self.version).to_json(),
        }

    def _checked(self, latents: Any) -> Latents:
        z = numbers(latents)
        if z.ndim != 2 or z.shape[1] != self.latent.size:
            raise UsageError(f"latents of shape {z.shape} are not [N, {self.latent.size}], as this model takes.")
        return z


def numbers(latents: Any) -> Latents:
    """Latents as float32. Raises UsageError for what is no array of finite numbers."""
    try:
        latents = np.asarray(latents, np.float32)
    except (TypeError, ValueError):
        raise UsageError(f"latents are arrays of numbers, not {type(latents).__name__}.") from None
    if not np.isfinite(latents).all():
        raise UsageError("the latents hold values that are not finite.")
    return latents


def finite(values: Any, whose: str) -> NDArray[Any]:
    """What a network gives, as an array. Raises LmedgeError where it holds nan or infinity."""
    values = np.asarray(values)
    if not np.isfinite(values).all():
        raise LmedgeError(f"{whose} gives values that are not finite; train it again, or go back to an earlier one.")
    return values
