"""How a head is turned and its mouth open, read off its landmarks. Needs NumPy only: this file also runs on the
device."""

import numpy as np
from numpy.typing import NDArray

from lmedge.scheme import Scheme

# How far the nose tip stands before the line of the outer eye corners, in inter-ocular distances: tan(yaw) of Face
# Mesh's three-dimensional points against the place of the nose tip, least squares over 400 photos of CelebA
# (correlation 0.993).
NOSE_DEPTH = 0.58
EYES, NOSE, LIPS = ("ibug68/36", "ibug68/45"), "ibug68/30", ("ibug68/62", "ibug68/66")
# The points by which what these options ask for is measured.
POINTS = {"--yaw": (*EYES, NOSE), "--mouth-open": (*EYES, *LIPS)}
Measured = NDArray[np.float32] | None


def pose(landmarks: NDArray[np.float32], scheme: Scheme) -> tuple[Measured, Measured]:
    """How far the head is turned (nose tip beside the middle of the eyes, positive to the right of the picture) and the
    mouth open (how far the inner lower lip lies below the upper one, seen from the line of the eyes; less than 0 where
    they cross), each `[N]`, in inter-ocular distances, or None where the scheme lacks a point of it; landmarks
    `[N, K, 2]` in pixels."""
    return turned(landmarks, scheme), mouth_open(landmarks, scheme)


def turned(landmarks: NDArray[np.float32], scheme: Scheme) -> Measured:
    """The first of `pose`."""
    if not scheme.has(*POINTS["--yaw"]):
        return None
    right, left, nose = (landmarks[:, scheme.index(point)] for point in (*EYES, NOSE))
    return (nose[:, 0] - (right[:, 0] + left[:, 0]) / 2) / _between(right, left)


def mouth_open(landmarks: NDArray[np.float32], scheme: Scheme) -> Measured:
    """The second of `pose`."""
    if not scheme.has(*POINTS["--mouth-open"]):
        return None
    right, left, upper_lip, lower_lip = (landmarks[:, scheme.index(point)] for point in (*EYES, *LIPS))
    eyes, lips = left - right, lower_lip - upper_lip
    # With a sign: who opens a mouth whose lips cross by their distance crosses them further.
    return (eyes[:, 0] * lips[:, 1] - eyes[:, 1] * lips[:, 0]) / _between(right, left) ** 2


def _between(right: NDArray[np.float32], left: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.maximum(np.linalg.norm(left - right, axis=1), 1e-6)


def degrees(turned: NDArray[np.float32]) -> NDArray[np.float32]:
    """Yaw in degrees of what `pose` calls turned."""
    return np.degrees(np.arctan(turned / NOSE_DEPTH)).astype(np.float32)


def posture(landmarks: NDArray[np.float32], scheme: Scheme) -> NDArray[np.float32]:
    """Yaw in degrees and mouth opening of landmarks `[N, K, 2]`: `[N, 2]`; 0 for what the scheme lacks points of, which
    moves no latent."""
    turned, gap = pose(landmarks, scheme)
    nothing = np.zeros(len(landmarks), np.float32)
    yaw = nothing if turned is None else degrees(turned)
    return np.column_stack([yaw, nothing if gap is None else gap]).astype(np.float32)
