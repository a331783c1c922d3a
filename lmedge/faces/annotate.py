"""Landmarks of a face, from MediaPipe Face Mesh."""

import os

import numpy as np
from numpy.typing import NDArray

from lmedge.faces.photo import Image8
from lmedge.landmarks import FACE_MESH_TO_IBUG68, IBUG68, Scheme, convert_scheme

# MediaPipe's C++ side logs every graph it starts.
os.environ.setdefault("GLOG_minloglevel", "2")


class FaceMesh:
    """MediaPipe Face Mesh on single pictures; one a process, as it holds a graph.

    Use it as a context manager or close it.
    """

    def __init__(self) -> None:
        import mediapipe as mp

        self._mesh = mp.solutions.face_mesh.FaceMesh(static_image_mode=True, max_num_faces=1)

    def __enter__(self) -> "FaceMesh":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Frees the graph."""
        self._mesh.close()

    def landmarks(self, pixels: Image8, scheme: Scheme) -> NDArray[np.float32] | None:
        """Landmarks `[K, 2]` in pixels of the picture `[H, W, 3]` RGB, or None where no face is found."""
        found = self._mesh.process(pixels).multi_face_landmarks
        if not found:
            return None
        vertices = found[0].landmark
        height, width = pixels.shape[:2]
        # Face Mesh gives 0..1 of the picture, measured from its edge.
        points = np.array([(vertices[i].x, vertices[i].y) for i in FACE_MESH_TO_IBUG68])
        points = (points * (width, height) - 0.5).astype(np.float32)
        return convert_scheme(points, IBUG68, scheme)
