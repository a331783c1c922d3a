"""What is measured at each step of an edit."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmedge.attributes.labeller import Labeller
from lmedge.errors import UsageError
from lmedge.inversion.latents import explained, psnr
from lmedge.judging.embedding import Embedding, require_size
from lmedge.keras_model import Generator, to_uint8
from lmedge.landmarks import nme
from lmedge.latent import Latents, LatentSpec
from lmedge.scheme import Scheme


@dataclass(frozen=True)
class Judges:
    """Who looks at faces, where they are given: an `embedding`, which knows people, and a `labeller`, which says what
    they show."""

    embedding: Embedding | None
    labeller: Labeller | None

    @classmethod
    def of(cls, identity: Path | None, attributes: Path | None, generator: Generator, whose: object) -> "Judges":
        """Those of `--identity` and `--attributes`. Raises UsageError where one looks at faces of another size than the
        generator of the run `whose` draws, or does not tell all attributes that it is asked for, LmedgeError for
        damaged ones."""
        size = generator.width
        embedding = None if identity is None else Embedding.open(identity, "--identity")
        labeller = None if attributes is None else Labeller.open(attributes)
        if embedding is not None:
            embedding.require_size(size, "--identity", whose)
        if labeller is not None:
            require_size(labeller.network, size, f"--attributes {attributes}", whose)
            if unknown := [name for name in generator.latent.attributes if name not in labeller.names]:
                raise UsageError(
                    f"--attributes {attributes} does not tell {', '.join(unknown)}, which {whose} is asked for; name "
                    "the network that it was trained with, or leave it out."
                )
        return cls(embedding, labeller)

    def seen(self, images: NDArray[np.float32]) -> list[dict[str, float]]:
        """What the labeller says of images `[N, H, W, 3]` in -1..1, by attribute, -1..1; nothing without one."""
        if self.labeller is None:
            return [{} for _ in images]
        return [_rounded(dict(zip(self.labeller.names, row, strict=True)))
                for row in self.labeller.values(to_uint8(images))]  # fmt: skip

    def likeness(self, images: NDArray[np.float32], photo: NDArray[np.float32]) -> list[dict[str, Any]]:
        """How far each image `[N, H, W, 3]` is from `photo` `[1, H, W, 3]`, beside pairs of photos; nothing without an
        embedding."""
        if self.embedding is None:
            return [{} for _ in images]
        known = self.embedding.verified
        return [
            {"distance": round(distance, 4), "one_person_further": round(known.further(distance), 3),
             "two_persons_nearer": round(known.nearer(distance), 3), "verified": distance <= known.threshold}
            for distance in self.embedding.distances(images, photo).tolist()
        ]  # fmt: skip


def fidelity(images: NDArray[np.float32], photo: NDArray[np.float32]) -> list[dict[str, float]]:
    """`psnr`, dB, and the share of the variance `explained`, of each image against the photo."""
    both = zip(psnr(images, photo).tolist(), explained(images, photo).tolist(), strict=True)
    return [{"psnr": round(decibels, 2), "explained": round(share, 3)} for decibels, share in both]


def moved_landmarks(latent: LatentSpec, z: Latents, scheme: Scheme) -> list[float | None]:
    """How far the landmarks that latents `[N, Z]` ask for are from those of the first, NME."""
    if (asked := latent.asked(z)) is None:
        return [None] * len(z)
    return [round(error, 4) for error in nme(asked, asked[:1], scheme).tolist()]


def asked_for(latent: LatentSpec, z: Latents) -> list[dict[str, float]]:
    """The attributes that latents `[N, Z]` ask for, by name."""
    return [_rounded(dict(zip(latent.attributes, row, strict=True))) for row in latent.shown(z)]


def _rounded(values: dict[str, Any]) -> dict[str, float]:
    return {name: round(float(value), 3) for name, value in values.items()}
