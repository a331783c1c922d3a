"""Moving latents so that their faces turn the head and open the mouth as far as asked: a random latent hardly ever
does, though the generator can draw it. Where a block asks for landmarks, it alone is moved, and the person stays."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from lmedge.latent import LatentSpec, uniform
from lmedge.pose import POINTS, posture
from lmedge.runtime.directions import towards
from lmedge.runtime.selection import Range
from lmedge.runtime.shape_block import ShapeBlock
from lmedge.scheme import Scheme
from lmedge.seeds import Purpose

FITTED = 4096  # latents from which the directions are read
STEPS, DAMPING = 8, 0.6  # L-Gen is not linear: whole steps swing around the target
PROBED = 256  # latents that are steered as far as they go
OWN = 512  # faces that say which poses a model draws unasked
NEAR = (1.0, 0.01)  # degrees and inter-ocular distances that are not worth a sentence
FARTHEST = ((-40.0, 40.0), (0.0, 0.3))  # where these aim; beyond, all end at the same bounds, as one face
Landmarks = Callable[[NDArray[np.float32]], NDArray[np.float32]]  # z `[N, Z]` -> landmarks `[N, K, 2]`, pixels
# Latents `[N, Z]` and by how much their posture `[N, 2]` should change -> latents, inside of the bounds.
Move = Callable[[NDArray[np.float32], NDArray[np.float32]], NDArray[np.float32]]


def directions(landmarks: Landmarks, latent: LatentSpec, scheme: Scheme) -> NDArray[np.float32]:
    """`[2, Z]`: the shortest moves of a latent that turn the head by a degree and leave the mouth, and that open the
    mouth by an inter-ocular distance and leave the head; by the linear regression from latents to `posture`."""
    z = latent.draw(FITTED, purpose=Purpose.CONTROLS)
    return towards(z, posture(landmarks(z), scheme))


def everywhere(landmarks: Landmarks, latent: LatentSpec, scheme: Scheme) -> Move:
    """Moves all of a latent along `directions`."""
    each = directions(landmarks, latent, scheme)
    return lambda z, by: latent.clip(z + by @ each).astype(np.float32)


def in_shape(latent: LatentSpec, scheme: Scheme) -> Move:
    """Moves the block that asks for landmarks, to others of the posture that is asked for."""
    block = ShapeBlock.of(latent, scheme, "this model", "--yaw")

    def move(z: NDArray[np.float32], by: NDArray[np.float32]) -> NDArray[np.float32]:
        shape = latent.split(z)[block.block.name]
        return latent.with_shape(z, block.posed(shape, block.posture(shape) + by))

    return move


class Steering:
    """`steering(z, first, seed)`: latents `[N, Z]`, moved inside of the bounds until L-Gen reads the yaw and the
    mouth that their targets say. Targets lie evenly in `yaw` and `mouth_open`; None keeps what the face has. Latent
    `first + i` of a seed has a target of its own, whatever is moved with it."""

    def __init__(
        self, landmarks: Landmarks, latent: LatentSpec, scheme: Scheme, yaw: Range | None, mouth_open: Range | None
    ):
        self.landmarks, self.latent, self.scheme, self.ranges = landmarks, latent, scheme, (yaw, mouth_open)
        self.move = in_shape(latent, scheme) if latent.shape else everywhere(landmarks, latent, scheme)

    def __call__(self, z: NDArray[np.float32], first: int, seed: int) -> NDArray[np.float32]:
        return self._steered(z, self.targets(z, first, seed))

    def targets(self, z: NDArray[np.float32], first: int, seed: int) -> NDArray[np.float32]:
        """Yaw and mouth `[N, 2]` that latents are moved to."""
        target = posture(self.landmarks(z), self.scheme)
        share = (uniform(len(z), 2, Purpose.TARGETS.seed(seed), first) + 1) / 2
        for i, wanted in enumerate(self.ranges):
            if wanted:
                target[:, i] = wanted[0] + share[:, i] * (wanted[1] - wanted[0])
        return target

    def reach(self, i: int) -> Range:
        """From where to where half of the latents can be moved: yaw for `i` 0, the mouth for 1."""
        z = self.latent.draw(PROBED, 1, purpose=Purpose.CONTROLS)
        ends = []
        for aim in FARTHEST[i]:
            target = posture(self.landmarks(z), self.scheme)
            target[:, i] = aim
            ends.append(float(np.median(posture(self.landmarks(self._steered(z, target)), self.scheme)[:, i])))
        return ends[0], ends[1]

    def beyond(self) -> list[str]:
        """Sentences on what is asked for beyond all that the model draws unasked: nothing has taught it to draw that.
        None for a model without a block of landmarks: it draws such faces less often than it can."""
        if self.latent.shape is None:
            return []
        own = posture(self.landmarks(self.latent.draw(OWN, purpose=Purpose.CONTROLS)), self.scheme)
        said = []
        for option, wanted, seen, near in zip(POINTS, self.ranges, own.T, NEAR, strict=True):
            low, high = float(seen.min()), float(seen.max())
            if wanted and not low - near <= wanted[0] <= wanted[1] <= high + near:
                ends = " ".join(f"{end:g}" for end in dict.fromkeys(wanted))
                said.append(
                    f"{option} {ends} goes beyond all of {OWN} faces that this model draws unasked, {low:.3g} to "
                    f"{high:.3g}: many of these faces will be ruined."
                )
        return said

    def _steered(self, z: NDArray[np.float32], target: NDArray[np.float32]) -> NDArray[np.float32]:
        for _ in range(STEPS):
            now = posture(self.landmarks(z), self.scheme)
            z = self.move(z, DAMPING * (target - now))
        return z
