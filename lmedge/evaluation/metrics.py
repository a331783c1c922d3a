"""The figures of a run. Each function says what it compares; nothing here draws or writes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmedge.inversion.inverter import Inverter
from lmedge.inversion.latents import Latents
from lmedge.landmarks import Scheme, in_pixels, nme
from lmedge.runtime import between, prior
from lmedge.samples import annotated, draw


def points_of(lgen: Any, z: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """L-Gen's landmarks `[N, K, 2]` in pixels."""
    return in_pixels(np.asarray(lgen(z, training=False)), size, size)


@dataclass(frozen=True)
class SelfConsistency:
    """NMEs `[N]` between L-Gen(z) and Face Mesh on G(z), for the latents on which Face Mesh found a face;
    `mean_face`, the same for one fixed set of points instead of L-Gen's; `missed`, the share without a face."""

    errors: NDArray[np.float32]
    mean_face: float
    missed: float


def self_consistency(
    generator: Any, lgen: Any, scheme: Scheme, samples: int, seed: int, advance: Callable[..., None]
) -> SelfConsistency:
    """Does L-Gen say what a detector sees on the generated face? On fresh latents of the prior."""
    size, latent = generator.output_shape[1], generator.input_shape[-1]
    z = prior(samples, latent, seed)
    predicted = points_of(lgen, z, size)
    found = annotated(generator, z, scheme, advance)
    missed = 1 - len(found.at) / samples
    if not len(found.at):
        return SelfConsistency(np.empty(0, np.float32), float("nan"), missed)
    seen = found.landmarks
    mean = np.broadcast_to(seen.mean(axis=0), seen.shape)
    return SelfConsistency(nme(predicted[found.at], seen, scheme), float(nme(mean, seen, scheme).mean()), missed)


@dataclass(frozen=True)
class MirrorPaths:
    """Walks from faces to their mirror images through latent space (arXiv 1802.00390, section 4).

    `real` `[P, H, W, 3]`; `faces` `[P, S, H, W, 3]` and `landmarks` `[P, S, K, 2]` pixels along each path;
    `jumps` `[P, S-1]`, NME-like size of each step: mean point distance over the first face's inter-ocular one.
    """

    real: NDArray[np.uint8]
    faces: NDArray[np.uint8]
    landmarks: NDArray[np.float32]
    jumps: NDArray[np.float32]


def mirror_paths(
    generator: Any, lgen: Any, latents: Latents, real: NDArray[np.uint8], chosen: NDArray[np.int64],
    inverter: Inverter, steps: int = 16,
) -> MirrorPaths:  # fmt: skip
    """From the latents `chosen` of the faces `real` `[P, H, W, 3]` to those of the mirrored faces, found by
    `inverter`."""
    size = latents.size
    ends = inverter(real[:, :, ::-1].astype(np.float32) / 127.5 - 1)
    paths = [between(a, b, steps) for a, b in zip(latents.z[chosen], ends, strict=True)]
    z = np.concatenate(paths)
    shape = (len(real), steps)
    landmarks = points_of(lgen, z, size).reshape(*shape, -1, 2)
    right, left = latents.scheme.outer_eye_corners
    inter_ocular = np.linalg.norm(landmarks[:, 0, right] - landmarks[:, 0, left], axis=-1)
    moved = np.linalg.norm(np.diff(landmarks, axis=1), axis=-1).mean(axis=-1)
    return MirrorPaths(
        real, draw(generator, z).reshape(*shape, size, size, 3), landmarks,
        (moved / np.maximum(inter_ocular, 1e-6)[:, None]).astype(np.float32),
    )  # fmt: skip
