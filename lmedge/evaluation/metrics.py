"""The figures of the landmarks. Each function says what it compares; nothing here draws or writes."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lmedge.annotators.annotator import Annotator
from lmedge.annotators.looking import look
from lmedge.executor import Executor
from lmedge.judging.census import FRONTAL, OPEN_MOUTH, TURNED
from lmedge.landmarks import in_pixels, nme
from lmedge.lgen.figures import explained_share, most_confident
from lmedge.pose import pose
from lmedge.runtime import FaceModel
from lmedge.scheme import Scheme

FEWEST = 10  # faces of a pose of which an error is given


@dataclass(frozen=True)
class SelfConsistency:
    """L-Gen(z) against an annotator on G(z), for the latents on which it found a face.

    `errors` `[N]`, NMEs against the mean of what it sees on the face and in a mirror; `single`, the mean NME against
    what it sees on the face alone; `mean_face`, as `errors` for one fixed set of points; `asked`, as `errors` for the
    landmarks that the latent asks for, or None where it asks for none; `mirror` and `shift`, how far it is from itself
    in a mirror and 2 pixels (of 64) further; `explained`, the share of the landmarks' variance;
    `points` `[K]`, the error of each point in inter-ocular distances; `poses`, mean NMEs by pose; `kept`, the
    mean NME of the most confident part, or None; `missed`, the share without a face.
    """

    errors: NDArray[np.float32]
    single: float
    mean_face: float
    asked: float | None
    mirror: float
    shift: float
    explained: float
    points: NDArray[np.float32]
    poses: dict[str, dict[str, float]]
    kept: float | None
    missed: float


def self_consistency(
    model: FaceModel, annotator: Annotator, z: NDArray[np.float32], advance: Callable[..., None],
    executor: Executor | None = None,
) -> SelfConsistency | None:  # fmt: skip
    """Does L-Gen say what a detector sees on the generated face? On fresh latents `[N, Z]`, looked at where `executor`
    works. None where the annotator finds no face."""
    faces, scheme = model.render(z), model.scheme
    found = look(annotator, faces.images, scheme, advance, ("plain", "mirror", "shifted"), executor)
    if not len(found.at):
        return None
    predicted = faces.landmarks[found.at]
    plain, mirror, shifted = (found.views[:, i] for i in range(3))
    seen = (plain + mirror) / 2
    errors = nme(predicted, seen, scheme)
    kept = None
    if faces.confidence is not None:
        kept = float(errors[most_confident(faces.confidence[found.at])].mean())
    right, left = scheme.reference
    eyes = np.linalg.norm(seen[:, right] - seen[:, left], axis=-1)
    asked = None
    if (wanted := model.latent.asked(z[found.at])) is not None:
        asked = float(nme(in_pixels(wanted, model.width, model.height), seen, scheme).mean())
    return SelfConsistency(
        errors=errors,
        single=float(nme(predicted, plain, scheme).mean()),
        mean_face=float(nme(np.broadcast_to(seen.mean(axis=0), seen.shape), seen, scheme).mean()),
        asked=asked,
        mirror=float(nme(mirror, plain, scheme).mean()),
        shift=float(nme(shifted, plain, scheme).mean()),
        explained=explained_share(predicted, seen),
        points=(np.linalg.norm(predicted - seen, axis=-1) / eyes[:, None]).mean(axis=0),
        poses=by_pose(errors, seen, scheme),
        kept=kept,
        missed=float(1 - found.found[:, 0].mean()),
    )


def by_pose(errors: NDArray[np.float32], landmarks: NDArray[np.float32], scheme: Scheme) -> dict[str, dict[str, float]]:
    """Faces and mean of NMEs `[N]`, by how far the head is turned and whether the mouth is open. Poses with fewer than
    10 faces have no mean: NaN would be no JSON, and a handful says nothing; those that the scheme lacks
    points of are left out."""
    turned, gap = pose(landmarks, scheme)
    poses: dict[str, NDArray[np.bool_]] = {}
    if turned is not None:
        aside = np.abs(turned)
        poses |= {"frontal": aside < FRONTAL, "turned": (aside >= FRONTAL) & (aside <= TURNED),
                  "to half profile": aside > TURNED}  # fmt: skip
    if gap is not None:
        poses |= {"mouth closed": gap <= OPEN_MOUTH, "mouth open": gap > OPEN_MOUTH}
    return {
        name: {"faces": int(part.sum()), **({"nme": float(errors[part].mean())} if part.sum() >= FEWEST else {})}
        for name, part in poses.items()
    }


@dataclass(frozen=True)
class Faults:
    """Where the error on inverted faces comes from. Mean NMEs over the faces on whose inversion the annotator finds a
    face: `total`, L-Gen(z*) against the annotation of the photo; `inversion`, what the annotator sees on G(z*) against
    the same; `reading`, L-Gen(z*) against what it sees on G(z*). `faces`, how many; `poses`, the total by pose."""

    faces: int
    total: float
    inversion: float
    reading: float
    poses: dict[str, dict[str, float]]


def faults(
    model: FaceModel, z: NDArray[np.float32], landmarks: NDArray[np.float32], annotator: Annotator,
    advance: Callable[..., None],
) -> Faults | None:  # fmt: skip
    """For latents `[N, Z]` of faces with `landmarks` `[N, K, 2]` in pixels; None where the annotator finds no face."""
    faces, scheme = model.render(z), model.scheme
    found = look(annotator, faces.images, scheme, advance)
    if not len(found.at):
        return None
    true, seen = landmarks[found.at], found.landmarks
    predicted = faces.landmarks[found.at]
    errors = nme(predicted, true, scheme)
    return Faults(
        faces=len(true),
        total=float(errors.mean()),
        inversion=float(nme(seen, true, scheme).mean()),
        reading=float(nme(predicted, seen, scheme).mean()),
        poses=by_pose(errors, true, scheme),
    )


@dataclass(frozen=True)
class People:
    """Against points that people placed, on photos that nothing was trained on; mean NMEs: `lgen` of L-Gen(z*);
    `annotator` of the annotator on the photo; `inverted` of it on G(z*); `mean_face` of these photos' own mean face.
    `style` is the mean NME of the annotator when its mean offset of each point is taken away: people and Face Mesh mean
    other places by the same names. `lgen_style`, the same for L-Gen. `psnr`, the inversions' median. None is what
    takes an annotator, where there is none."""

    faces: int
    lgen: float
    lgen_style: float
    annotator: float | None
    style: float | None
    inverted: float | None
    mean_face: float
    psnr: float


def people(
    model: FaceModel, latents: NDArray[np.float32], images: NDArray[np.uint8], landmarks: NDArray[np.float32],
    annotator: Annotator | None, psnr: NDArray[np.float32],
) -> People | None:  # fmt: skip
    """For photos `[N, H, W, 3]` with hand-placed `landmarks` `[N, K, 2]` and their latents. None where the
    annotator finds no face."""
    faces, scheme = model.render(latents), model.scheme
    at, seen, seen_drawn = list(range(len(images))), None, None
    if annotator is not None:
        with annotator:
            looks = [[annotator.of_face(f, scheme) for f in pair] for pair in zip(images, faces.images, strict=True)]
        at = [i for i, look in enumerate(looks) if all(points is not None for points in look)]
        if not at:
            return None
        seen, seen_drawn = (np.array([looks[i][j] for i in at], np.float32) for j in (0, 1))
    true, predicted = landmarks[at], faces.landmarks[at]
    right, left = scheme.reference
    eyes = np.linalg.norm(true[:, right] - true[:, left], axis=-1)[:, None, None]

    def error(points: NDArray[np.float32]) -> float:
        return float(nme(points, true, scheme).mean())

    def restyled(points: NDArray[np.float32]) -> NDArray[np.float32]:
        offset = ((points - true) / eyes).mean(axis=0)
        return points - offset * eyes

    return People(
        faces=len(at),
        lgen=error(predicted),
        lgen_style=error(restyled(predicted)),
        annotator=None if seen is None else error(seen),
        style=None if seen is None else error(restyled(seen)),
        inverted=None if seen_drawn is None else error(seen_drawn),
        mean_face=error(np.broadcast_to(true.mean(axis=0), true.shape)),
        psnr=float(np.median(psnr)),
    )
