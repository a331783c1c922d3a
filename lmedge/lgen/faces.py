"""Latents with the landmarks of their faces, and how they are split."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmedge.gan.held_out import unseen
from lmedge.landmarks import in_pixels, nme, normalised, point_errors
from lmedge.run import Run
from lmedge.scheme import Scheme
from lmedge.splits import Indices, split_by_group


@dataclass(frozen=True)
class Faces:
    """Latents `z` `[N, Z]` and normalised `landmarks` `[N, K, 2]` of faces of `size` pixels; `weights` `[N]`, what each
    counts in a training, or None for all the same."""

    z: NDArray[np.float32]
    landmarks: NDArray[np.float32]
    size: int
    scheme: Scheme
    weights: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.z)

    def __getitem__(self, part: NDArray[np.int64]) -> "Faces":
        weights = None if self.weights is None else self.weights[part]
        return Faces(self.z[part], self.landmarks[part], self.size, self.scheme, weights)

    def moved(self, styled: Callable[[NDArray[np.float32]], NDArray[np.float32]]) -> "Faces":
        """With landmarks that `styled` has moved, `[N, K, 2]` in pixels."""
        size = self.size
        return replace(self, landmarks=normalised(styled(in_pixels(self.landmarks, size, size)), size, size))

    def nme(self, predicted: NDArray[np.float32]) -> NDArray[np.float32]:
        """`[N]`, of normalised points `[N, K, 2]`."""
        size = self.size
        return nme(in_pixels(predicted, size, size), in_pixels(self.landmarks, size, size), self.scheme)

    def errors(self, network: Any) -> NDArray[np.float32]:
        """NMEs `[N]` of what L-Gen reads off the latents."""
        return self.nme(np.asarray(network(self.z, training=False)))

    def point_errors(self, network: Any) -> NDArray[np.float32]:
        """The error of each of its points, as `nme` has it: `[N, K]`."""
        predicted, size = np.asarray(network(self.z, training=False)), self.size
        return point_errors(in_pixels(predicted, size, size), in_pixels(self.landmarks, size, size), self.scheme)


def joined(parts: list[Faces]) -> Faces:
    """All faces of some sets."""
    weights = [np.ones(len(part), np.float32) if part.weights is None else part.weights for part in parts]
    z = np.concatenate([part.z for part in parts])
    return Faces(
        z, np.concatenate([part.landmarks for part in parts]), parts[0].size, parts[0].scheme, np.concatenate(weights)
    )


@dataclass(frozen=True)
class Split:
    """Faces and the indices of those for training, for choosing among trainings, and held out."""

    faces: Faces
    training: NDArray[np.int64]
    validation: NDArray[np.int64]
    held_out: NDArray[np.int64]


def split_of(run: Run, groups: NDArray[np.str_], share: float, seed: int) -> Indices:
    """As `split_by_group`, for faces of a run: where its generator has seen no face of some groups, these are the
    held-out ones, and `share` of the others is for validation."""
    out = unseen(run, groups)
    if not out.any():
        return split_by_group(groups, share, seed)
    seen = np.flatnonzero(~out)
    training, validation, rest = (seen[part] for part in split_by_group(groups[seen], share, seed))
    return np.union1d(training, rest), validation, np.flatnonzero(out)
