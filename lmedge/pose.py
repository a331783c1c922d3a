"""How a head is turned and its mouth open, read off its landmarks. Needs NumPy only: this file also runs on the
device."""

import numpy as np
from numpy.typing import NDArray

from lmedge.scheme import Scheme

# How far the nose tip stands before the line of the outer eye corners, in inter-ocular distances: tan(yaw) of Face
# Mesh's three-dimensional points against the place of the nose tip, least squares over 400 photos of CelebA
# (correlation 0.993).
NOSE_DEPTH = 0.58


def pose(landmarks: NDArray[np.float32], scheme: Scheme) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """How far the head is turned (nose tip beside the middle of the eyes, positive to the right of the picture) and the
    mouth open (distance of the inner lips), each `[N]`, in inter-ocular distances; landmarks `[N, K, 2]` in pixels."""
    nose, upper_lip, lower_lip = (landmarks[:, scheme.index(f"ibug68/{i}")] for i in (30, 62, 66))
    right, left = (landmarks[:, i] for i in scheme.reference)
    eyes = np.maximum(np.linalg.norm(left - right, axis=1), 1e-6)
    turned = (nose[:, 0] - (right[:, 0] + left[:, 0]) / 2) / eyes
    return turned, np.linalg.norm(upper_lip - lower_lip, axis=1) / eyes


def degrees(turned: NDArray[np.float32]) -> NDArray[np.float32]:
    """Yaw in degrees of what `pose` calls turned."""
    return np.degrees(np.arctan(turned / NOSE_DEPTH)).astype(np.float32)
