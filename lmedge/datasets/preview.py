"""What a chosen set will be like, seen on a few of its faces before it is drawn: does it reach the pose that was asked
for, and do its faces differ as random ones do?"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lmedge.datasets.stream import CHUNK, Plan
from lmedge.runtime import FaceModel
from lmedge.runtime.selection import Range, Selection

CHUNKS = 4  # looked at, at most, for `CHUNK` faces that are kept
FEWEST = 16  # faces that say something about variety
# Random faces of one pose differ a sixth less than all do; steered as far as a generator goes, faces become one face.
LEAST_VARIETY = 0.75
WHOLE = 0.9  # of a range: less is worth a sentence
POSES = ("--yaw", "--mouth-open")  # in the order of `posture`


@dataclass(frozen=True)
class Preview:
    """`plan`, with targets that the generator reaches; `reach`: by option, from where to where it can be steered;
    `beyond`: sentences on what is asked for beyond all that it draws unasked; `variety`: mean difference of two kept
    faces over that of two random ones, None where too few are kept to say."""

    plan: Plan
    reach: dict[str, Range]
    beyond: list[str]
    variety: float | None

    def sentences(self) -> list[str]:
        """What somebody who asked for too much should know."""
        selection, found = self.plan.selection, list(self.beyond)
        for option, (low, high) in selection.poses.items():
            least, most = self.reach[option]
            part = _common((low, high), (least, most))
            if part is None or part[1] - part[0] < WHOLE * (high - low):
                then = f"faces are steered to {part[0]:.3g} to {part[1]:.3g}" if part else "few faces will do"
                found.append(f"{option} {low:g} {high:g}: this generator reaches {least:.3g} to {most:.3g}; {then}.")
        if self.variety is not None and self.variety < LEAST_VARIETY and self.plan.centres is None:
            found.append(
                f"{selection}: the faces will be alike, two of them differ {self.variety:.2f} times as much as two "
                "random ones; ask for less."
            )
        return found


def look_ahead(plan: Plan, model: FaceModel) -> Preview | None:
    """Draws the first faces of a plan; None where it asks for nothing but random ones."""
    if plan.selection.wants_all and plan.centres is None:
        return None
    reach: dict[str, Range] = {}
    beyond: list[str] = []
    steering = plan.steering(model)
    if steering is not None:
        beyond = steering.beyond()
        reach = {option: steering.reach(i) for i, option in enumerate(POSES) if option in plan.selection.poses}
        yaw, mouth_open = (
            _common(wanted, reach[option]) or wanted if (wanted := plan.selection.poses.get(option)) else None
            for option in POSES
        )
        plan = replace(plan, targets=(yaw, mouth_open))
        steering = plan.steering(model)
    kept: list[NDArray[np.uint8]] = []
    for first in range(0, CHUNKS * CHUNK, CHUNK):
        faces = model.render(plan.latents(first, CHUNK, model.latent, steering))
        kept.extend(faces.images[plan.selection.wanted(faces, model.scheme)[0]])
        if len(kept) >= CHUNK:
            break
    if len(kept) < FEWEST:
        return Preview(plan, reach, beyond, None)
    random = Plan(plan.seed, Selection(), plan.truncation).latents(0, CHUNK, model.latent, None)
    variety = difference(np.stack(kept[:CHUNK])) / difference(model.render(random).images)
    return Preview(plan, reach, beyond, variety)


def _common(one: Range, other: Range) -> Range | None:
    low, high = max(one[0], other[0]), min(one[1], other[1])
    return (low, high) if low < high else None


def difference(images: NDArray[np.uint8]) -> float:
    """The mean difference of two of some pictures `[N, H, W, 3]`, in levels."""
    flat = images.reshape(len(images), -1).astype(np.int16)
    return float(np.concatenate([np.abs(flat[i] - flat[:i]).mean(axis=1) for i in range(1, len(flat))]).mean())
