"""Where the inversion looks: the face counts more than what is behind it."""

import cv2
import numpy as np
from numpy.typing import NDArray

MARGIN = 0.05  # of the side of a face, around the outermost landmarks
MOST_FACES = 1000  # whose hulls are averaged


def face_weights(landmarks: NDArray[np.float32], size: int, background: float) -> NDArray[np.float32]:
    """Weights of the pixels `[size, size]`, of mean 1: `background` outside of the face against 1 inside.

    `landmarks [N, K, 2]` in pixels are those of cropped faces; a pixel is inside as far as it lies in the hulls of
    them. One set of weights serves all faces, so that where its own landmarks are says nothing about a face's latent.
    """
    chosen = landmarks[:: -(-len(landmarks) // MOST_FACES)]
    margin = 2 * round(MARGIN * size) + 1
    inside = np.zeros((size, size), np.float32)
    for points in chosen:
        hull = np.zeros((size, size), np.uint8)
        cv2.fillConvexPoly(hull, cv2.convexHull(points.astype(np.float32)).round().astype(np.int32), 1)
        inside += cv2.dilate(hull, np.ones((margin, margin), np.uint8))
    weights = background + (1 - background) * inside / len(chosen)
    return (weights / weights.mean()).astype(np.float32)
