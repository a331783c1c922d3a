"""Faces between two real ones: their latents are mixed, the generator draws, L-Gen says where the landmarks are."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lmedge.detector.diet import LabelledFaces, restyled
from lmedge.detector.faces import LEAST_CONFIDENCE
from lmedge.detector.network import Learner, Renew
from lmedge.keras_model import KerasFaceModel
from lmedge.latent import Latents

POOL = 400  # faces that are mixed for a round of steps
SPARE = 1.25  # as many are mixed, and those kept of which L-Gen is surest


@dataclass(frozen=True)
class Pairs:
    """Latents `first` and `second` `[B, Z]` of two faces, and how far `[B, 1]` from the one to the other to go."""

    first: Latents
    second: Latents
    share: NDArray[np.float32]

    def between(self) -> Latents:
        """On the straight line: what the plain arm takes, and what the learned one has to stay near to. `[B, Z]`."""
        return self.first + self.share * (self.second - self.first)


@dataclass(frozen=True)
class Mixing:
    """What mixed faces are made of: a `model`, the latents `z` `[M, Z]` of the `real` faces, and what the annotator
    that L-Gen learnt from finds on these (`seen` `[M, K, 2]`, nan where nothing), or None where landmarks are not moved
    to their style."""

    model: KerasFaceModel
    z: Latents
    real: LabelledFaces
    seen: NDArray[np.float32] | None

    def pairs(self, count: int, random: np.random.Generator) -> Pairs:
        """Draws two different faces, and a share, `count` times."""
        first = random.integers(0, len(self.z), count)
        second = (first + random.integers(1, len(self.z), count)) % len(self.z)
        return Pairs(self.z[first], self.z[second], random.random((count, 1), np.float32))

    def landmarks(self, z: Latents) -> NDArray[np.float32]:
        """`[N, K, 2]` in pixels, in the style of the real faces."""
        return self._styled(np.empty((len(z), 0, 0, 3), np.uint8), self.model.landmarks(z)).landmarks

    def drawn(self, z: Latents) -> LabelledFaces:
        """The faces of the surest of latents, `POOL` of them."""
        sure = self.model.sure(z)
        if sure is not None:  # a stable sort, so that no more are left out than have to be
            z = z[np.argsort(sure < LEAST_CONFIDENCE, kind="stable")]
        z = z[:POOL]
        return self._styled(self.model.generator.images(z), self.model.landmarks(z))

    def _styled(self, images: NDArray[np.uint8], landmarks: NDArray[np.float32]) -> LabelledFaces:
        faces = LabelledFaces(images, landmarks, self.model.scheme)
        return faces if self.seen is None else restyled(faces, self.real, self.seen)


def interpolating(mixing: Mixing, seed: int) -> Renew:
    """What makes the generated faces of each round by interpolation."""

    def renew(first: int, _: Learner) -> LabelledFaces:
        return mixing.drawn(mixing.pairs(round(SPARE * POOL), np.random.default_rng((seed, first))).between())

    return renew
