"""Faces with landmarks, and the ways to ask for some."""

import io
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count as counting
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lmedge.bounds import require, require_seed, require_whole
from lmedge.errors import LmedgeError, UsageError
from lmedge.landmarks import in_pixels, normalised
from lmedge.runtime.latents import around, between, prior

if TYPE_CHECKING:
    from PIL import Image

Latents = NDArray[np.float32]
AT_ONCE = 1_000_000  # faces in memory: 12 GB of 64 pixels


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

    def __getitem__(self, part: int | slice | NDArray[Any]) -> "Faces":
        if isinstance(part, int | np.integer):
            part = np.arange(len(self))[part : part + 1 or None]  # one face; none beyond the last
        return Faces(**{name: values[part] for name, values in self.arrays().items()})

    def __repr__(self) -> str:
        _, height, width, _ = self.images.shape
        sure = self.confidence
        told = "" if sure is None or not len(sure) else f", confidence {sure.min():.2f} to {sure.max():.2f}"
        size = f"{len(self)} of {width} x {height} pixels, {self.landmarks.shape[1]} landmarks"
        return f"Faces({size}, latents of {self.latents.shape[1]}{told})"

    def picture(self) -> "Image.Image":
        """The first 64 as one picture with their landmarks, eight a row. Raises UsageError where there is none."""
        from lmedge.pictures import sheet  # here, as a board that only draws faces needs no drawing of lines

        return sheet(self.images, self.landmarks)

    def _repr_png_(self) -> bytes | None:
        """What a notebook shows."""
        if not len(self):
            return None
        png = io.BytesIO()
        self.picture().save(png, "PNG")
        return png.getvalue()

    def show(self) -> None:
        """Shows `picture()` in the notebook, or in the picture viewer of the desktop. Raises LmedgeError where there is
        neither."""
        from PIL import ImageShow

        notebook = sys.modules.get("IPython")
        if notebook is not None and notebook.get_ipython() is not None:
            notebook.display.display(self)
        elif not ImageShow.show(self.picture(), "faces"):
            raise LmedgeError("there is no picture viewer here; save faces.picture() with its save('faces.png').")

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What is there, by name."""
        return {name: values for name, values in vars(self).items() if values is not None}

    def landmarks_at(self, width: int, height: int) -> NDArray[np.float32]:
        """Landmarks `[N, K, 2]` in pixels of the faces scaled to `width` by `height`; (0, 0) is the centre of the first
        pixel there too. Raises UsageError for a size below 1."""
        require("width", width, 1)
        require("height", height, 1)
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
        """Faces `first` to `first + count` of a seed (0 to 2^64 - 1); the same seed gives the same latents everywhere.
        Raises UsageError for numbers below 0, and for more faces than `AT_ONCE`."""
        require_whole("count", count, 0, AT_ONCE, " (take `stream` for more)")
        return self.render(prior(count, self.latent, seed, first))

    def stream(self, count: int | None = None, seed: int = 0, chunk: int = 16) -> Iterator[Faces]:
        """`sample` in chunks, so that any number fits into memory; `count` None never ends. Raises UsageError as
        `sample` does, at once."""
        require_seed("seed", seed)
        require_whole("chunk", chunk, 1, AT_ONCE)
        if count is not None:
            require_whole("count", count, 0)
        return self._chunks(count, seed, chunk)

    def _chunks(self, count: int | None, seed: int, chunk: int) -> Iterator[Faces]:
        for first in range(0, count, chunk) if count is not None else counting(0, chunk):
            yield self.sample(chunk if count is None else min(chunk, count - first), seed, first)

    def interpolate(self, seed: int, to_seed: int, steps: int) -> Faces:
        """Faces on the line from the first face of one seed to that of another, both included."""
        return self.between(prior(1, self.latent, seed)[0], prior(1, self.latent, to_seed)[0], steps)

    def between(self, z: Latents, to_z: Latents, steps: int) -> Faces:
        """Faces on the line from one latent `[Z]` to another, both included. Raises UsageError for latents of another
        length and fewer than two steps."""
        require_whole("steps", steps, 2, AT_ONCE)
        return self.render(between(self.one(z), self.one(to_z), steps))

    def near(self, z: Latents, count: int, radius: float = 0.2, seed: int = 0) -> Faces:
        """Faces that resemble the one of `z` `[Z]`: up to `radius` away from it in each component, inside of the
        prior's cube. A radius of 0.2 keeps the person, one of 1 hardly. Raises UsageError for a latent of another
        length, a count below 0, or a radius that is not between 0 (the face itself) and 2 (any face)."""
        require_whole("count", count, 0, AT_ONCE)
        require("radius", radius, 0, 2)
        return self.render(around(self.one(z)[None], prior(count, self.latent, seed), radius))

    def one(self, z: Latents) -> Latents:
        """A latent `[Z]`, or UsageError."""
        latent = numbers(z)
        if latent.shape != (self.latent,):
            raise UsageError(f"a latent of shape {latent.shape} is not [{self.latent}], as this model takes.")
        return latent


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
