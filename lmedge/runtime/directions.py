"""Directions in the space of latents that change one thing about a face."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmedge.latent import LatentSpec
from lmedge.pose import POINTS, degrees, pose
from lmedge.runtime.axes import effects
from lmedge.runtime.faces import Faces
from lmedge.runtime.sampler import FaceSampler
from lmedge.seeds import Purpose
from lmedge.shapes import DEVIATIONS

FITTED = 1024  # latents from which the directions are read
CHUNK = 64
REACH = 3.0  # standard deviations to each side: how far a control goes
ATTRIBUTES = 8  # of those that can be asked for, the first
AXES = 4  # of a block that asks for landmarks, those along which faces differ most
LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601


@dataclass(frozen=True)
class Control:
    """A thing to change: a latent moved by `amount * direction` `[Z]` changes it by about `amount` of `unit`, and the
    other things hardly; `low` and `high` are as far as it is sensible to go."""

    name: str
    unit: str
    direction: NDArray[np.float32]
    low: float
    high: float

    def to_json(self) -> dict[str, Any]:
        """As bundle.json and the page have it."""
        return {**vars(self), "direction": [float(f"{value:.5g}") for value in self.direction]}


def towards(z: NDArray[np.float32], values: NDArray[np.float32]) -> NDArray[np.float32]:
    """`[V, Z]`: for each of V values of faces `[N, V]` the shortest move of a latent that adds one to it and leaves the
    others, by the linear regression from latents `[N, Z]` to the values."""
    return np.linalg.pinv(regressed(z, values)).astype(np.float32)


def regressed(z: NDArray[np.float32], values: NDArray[np.float32]) -> NDArray[np.float32]:
    """`[Z, V]`: how much each of V values `[N, V]` grows with each number of z `[N, Z]` (least squares)."""
    with_one = np.column_stack([z, np.ones(len(z), np.float32)])
    slopes: NDArray[np.float32] = np.linalg.lstsq(with_one, values, rcond=None)[0][:-1]
    return slopes


def controls(sampler: FaceSampler) -> list[Control]:
    """What can be changed about the faces of a model: as its bundle says, or measured now."""
    try:
        known = [Control(**{**one, "direction": np.array(one["direction"], np.float32)})
                 for one in sampler.bundle.about["controls"]]  # fmt: skip
    except (KeyError, TypeError, ValueError):
        known = []  # an older bundle, or one that was edited by hand
    if known and all(control.direction.shape == (sampler.latent.size,) for control in known):
        return known
    return measured(sampler)


def measured(sampler: FaceSampler) -> list[Control]:
    """The head's turn and the opening of the mouth as far as L-Gen's landmarks tell them, how light the picture is, the
    first attributes and the first axes of the landmarks that can be asked for. Draws `FITTED` faces for it."""
    z = sampler.latent.draw(FITTED, purpose=Purpose.CONTROLS)
    parts = [_values(sampler.render(z[i : i + CHUNK]), sampler) for i in range(0, FITTED, CHUNK)]
    values = np.concatenate(parts)
    spread = values.std(axis=0) * REACH
    kinds = [("Turn", "degrees")] if sampler.scheme.has(*POINTS["--yaw"]) else []
    kinds += [("Mouth", "inter-ocular distances")] if sampler.scheme.has(*POINTS["--mouth-open"]) else []
    kinds += [("Light", "levels of 0..255")]
    return [
        Control(name, unit, direction, -float(reach), float(reach))
        for (name, unit), direction, reach in zip(kinds, towards(z, values), spread, strict=True)
    ] + [*_attributes(sampler.latent, z), *_axes(sampler)]


def attribute_moves(spec: LatentSpec, z: NDArray[np.float32]) -> NDArray[np.float32]:
    """`[A, Z]`: of each attribute that latents can be asked for the move that adds one to it. The landmarks go along as
    they do in latents `z` `[N, Z]` that are drawn, with all other attributes as they are: a smile widens the mouth."""
    names, parts = spec.attributes, spec.split(z)
    along = {block.name: np.zeros((len(names), block.size), np.float32) for block in spec.blocks}
    for block in spec.blocks:
        if block.attributes is not None and spec.shape is not None:
            along[spec.shape.name] = regressed(parts[block.name], parts[spec.shape.name])
    moves = spec.join(along)  # of each attribute, without itself
    return np.array([spec.setting(move, {name: 1.0}) for name, move in zip(names, moves, strict=True)], np.float32)


def _attributes(spec: LatentSpec, z: NDArray[np.float32]) -> list[Control]:
    """None where the latent has no block that asks for attributes."""
    return [
        Control(name.replace("_", " "), "(-1 no, 1 yes)", move, -2.0, 2.0)
        for name, move in zip(spec.attributes[:ATTRIBUTES], attribute_moves(spec, z), strict=False)
    ]


def _axes(sampler: FaceSampler) -> list[Control]:
    """None where the latent has no block that asks for the landmarks of the model."""
    block, scheme = sampler.latent.shape, sampler.scheme
    if block is None or block.shapes is None or block.shapes.points != scheme.count:
        return []
    numbers = np.eye(block.size, dtype=np.float32) / DEVIATIONS
    spec = sampler.latent
    still = {each.name: np.zeros(each.size, np.float32) for each in spec.blocks}
    return [
        Control(name, "deviations", spec.join({**still, block.name: sign * number}), -REACH, REACH)
        for (name, sign), number in zip(effects(block.shapes, scheme, AXES), numbers, strict=False)
    ]


def _values(faces: Faces, sampler: FaceSampler) -> NDArray[np.float32]:
    turned, gap = pose(faces.landmarks, sampler.scheme)
    told = [None if turned is None else degrees(turned), gap, (faces.images @ LUMA).mean(axis=(1, 2))]
    return np.column_stack([values for values in told if values is not None]).astype(np.float32)
