"""Moving latents so that their faces turn the head and open the mouth as far as asked: a random latent hardly ever
does, though the generator can draw it."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from lmedge.latent import LatentSpec, uniform
from lmedge.pose import posture
from lmedge.runtime.directions import towards
from lmedge.runtime.selection import Range
from lmedge.scheme import Scheme
from lmedge.seeds import Purpose

FITTED = 4096  # latents from which the directions are read
STEPS, DAMPING = 8, 0.6  # L-Gen is not linear: whole steps swing around the target
PROBED = 256  # latents that are steered as far as they go
FARTHEST = ((-40.0, 40.0), (0.0, 0.3))  # where these aim; beyond, all end at the same bounds, as one face
Landmarks = Callable[[NDArray[np.float32]], NDArray[np.float32]]  # z `[N, Z]` -> landmarks `[N, K, 2]`, pixels


def directions(landmarks: Landmarks, latent: LatentSpec, scheme: Scheme) -> NDArray[np.float32]:
    """`[2, Z]`: the shortest moves of a latent that turn the head by a degree and leave the mouth, and that open the
    mouth by an inter-ocular distance and leave the head; by the linear regression from latents to `posture`."""
    z = latent.draw(FITTED, purpose=Purpose.CONTROLS)
    return towards(z, posture(landmarks(z), scheme))


class Steering:
    """`steering(z, first, seed)`: latents `[N, Z]`, moved inside of the bounds until L-Gen reads the yaw and the
    mouth that their targets say. Targets lie evenly in `yaw` and `mouth_open`; None keeps what the face has. Latent
    `first + i` of a seed has a target of its own, whatever is moved with it."""

    def __init__(
        self, landmarks: Landmarks, latent: LatentSpec, scheme: Scheme, yaw: Range | None, mouth_open: Range | None
    ):
        self.landmarks, self.latent, self.scheme, self.ranges = landmarks, latent, scheme, (yaw, mouth_open)
        self.directions = directions(landmarks, latent, scheme)

    def __call__(self, z: NDArray[np.float32], first: int, seed: int) -> NDArray[np.float32]:
        target = posture(self.landmarks(z), self.scheme)
        share = (uniform(len(z), 2, Purpose.TARGETS.seed(seed), first) + 1) / 2
        for i, wanted in enumerate(self.ranges):
            if wanted:
                target[:, i] = wanted[0] + share[:, i] * (wanted[1] - wanted[0])
        return self._steered(z, target)

    def reach(self, i: int) -> Range:
        """From where to where half of the latents can be moved: yaw for `i` 0, the mouth for 1."""
        z = self.latent.draw(PROBED, 1, purpose=Purpose.CONTROLS)
        ends = []
        for aim in FARTHEST[i]:
            target = posture(self.landmarks(z), self.scheme)
            target[:, i] = aim
            ends.append(float(np.median(posture(self.landmarks(self._steered(z, target)), self.scheme)[:, i])))
        return ends[0], ends[1]

    def _steered(self, z: NDArray[np.float32], target: NDArray[np.float32]) -> NDArray[np.float32]:
        for _ in range(STEPS):
            now = posture(self.landmarks(z), self.scheme)
            z = self.latent.clip(z + DAMPING * (target - now) @ self.directions).astype(np.float32)
        return z
