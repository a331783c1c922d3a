"""Walks through latent space: do faces and landmarks change evenly along them (arXiv 1802.00390, section 4)?"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lmedge.annotators.annotator import Annotator
from lmedge.annotators.looking import look
from lmedge.inversion.inverter import Inverter
from lmedge.inversion.latents import Latents
from lmedge.landmarks import in_pixels, mirrored, nme, normalised
from lmedge.latent import between
from lmedge.runtime import FaceModel
from lmedge.scheme import Scheme

STEPS = 16  # faces on a path, both ends included


@dataclass(frozen=True)
class Paths:
    """`z` `[P, S, Z]`; `faces` `[P, S, H, W, 3]` and `landmarks` `[P, S, K, 2]` pixels along each path; `jumps`
    `[P, S-1]`, NME-like size of each step: mean point distance over the first face's inter-ocular one. `real`
    `[P, H, W, 3]` are the photos that the paths begin at, or None."""

    z: NDArray[np.float32]
    faces: NDArray[np.uint8]
    landmarks: NDArray[np.float32]
    jumps: NDArray[np.float32]
    real: NDArray[np.uint8] | None = None


@dataclass(frozen=True)
class Continuity:
    """Of some paths. `length`: what the landmarks travel over how far apart the ends are, the mean of the points (1:
    straight there); `mean_jump`; `largest_jump`; `largest_over_mean`: the largest jump of a path over that path's mean
    one. `agreement`: mean NME of L-Gen against the annotator over all steps, `agreement_worst` at the step where it is
    highest; `found`: the share of steps with a face; None where nobody looks."""

    paths: int
    length: float
    mean_jump: float
    largest_jump: float
    largest_over_mean: float
    agreement: float | None
    agreement_worst: float | None
    found: float | None


def mirror_paths(
    model: FaceModel, latents: Latents, real: NDArray[np.uint8], chosen: NDArray[np.int64], inverter: Inverter
) -> Paths:
    """From the latents `chosen` of the faces `real` `[P, H, W, 3]` to those of the mirrored faces, found by
    `inverter`."""
    other = mirrored(in_pixels(latents.landmarks[chosen], latents.size, latents.size), latents.size, latents.scheme)
    known = normalised(other, latents.size, latents.size)
    ends = inverter(real[:, :, ::-1].astype(np.float32) / 127.5 - 1, landmarks=known)
    return _walked(model, latents.z[chosen], ends, real)


def random_paths(model: FaceModel, ends: NDArray[np.float32]) -> Paths:
    """From the first half of latents `[2 P, Z]` to the second."""
    return _walked(model, ends[: len(ends) // 2], ends[len(ends) // 2 :], None)


def continuity(paths: Paths, annotator: Annotator | None, scheme: Scheme) -> Continuity:
    """The figures of paths; the annotator, if there is one, looks at every step."""
    moved = np.linalg.norm(np.diff(paths.landmarks, axis=1), axis=-1).sum(axis=1)
    apart = np.linalg.norm(paths.landmarks[:, -1] - paths.landmarks[:, 0], axis=-1)
    agreement, worst, found = (None, None, None) if annotator is None else _agreement(paths, annotator, scheme)
    return Continuity(
        paths=len(paths.z),
        length=float((moved.mean(axis=1) / np.maximum(apart.mean(axis=1), 1e-6)).mean()),
        mean_jump=float(paths.jumps.mean()),
        largest_jump=float(paths.jumps.max()),
        largest_over_mean=float((paths.jumps.max(axis=1) / np.maximum(paths.jumps.mean(axis=1), 1e-9)).max()),
        agreement=agreement,
        agreement_worst=worst,
        found=found,
    )


def _agreement(paths: Paths, annotator: Annotator, scheme: Scheme) -> tuple[float | None, float | None, float]:
    """Mean NME of L-Gen against what the annotator sees, that of the worst step, and the share of faces with one."""
    steps = paths.landmarks.shape[1]
    flat = paths.landmarks.reshape(-1, *paths.landmarks.shape[2:])
    faces = paths.faces.reshape(-1, *paths.faces.shape[2:])
    seen = look(annotator, faces, scheme, lambda count: None)
    errors = nme(flat[seen.at], seen.landmarks, scheme)
    of_step = [errors[seen.at % steps == step] for step in range(steps)]
    worst = max((float(step.mean()) for step in of_step if len(step)), default=None)
    return float(errors.mean()) if len(errors) else None, worst, float(seen.found.mean())


def _walked(
    model: FaceModel, starts: NDArray[np.float32], ends: NDArray[np.float32], real: NDArray[np.uint8] | None
) -> Paths:
    z = np.stack([between(a, b, STEPS) for a, b in zip(starts, ends, strict=True)])
    faces, shape = model.render(z.reshape(-1, z.shape[-1])), z.shape[:2]
    landmarks = faces.landmarks.reshape(*shape, -1, 2)
    right, left = model.scheme.reference
    inter_ocular = np.linalg.norm(landmarks[:, 0, right] - landmarks[:, 0, left], axis=-1)
    moved = np.linalg.norm(np.diff(landmarks, axis=1), axis=-1).mean(axis=-1)
    jumps = (moved / np.maximum(inter_ocular, 1e-6)[:, None]).astype(np.float32)
    return Paths(z, faces.images.reshape(*shape, *faces.images.shape[1:]), landmarks, jumps, real)
