"""Landmarks from MediaPipe Face Mesh, and all that is imported of MediaPipe."""

import importlib.metadata
from contextlib import nullcontext
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmedge.affine import cut, inverse, moved
from lmedge.annotators.annotator import Annotator, Picture, Points
from lmedge.quiet import keep_quiet, native_stderr_off
from lmedge.scheme import Scheme, chosen

# Face Mesh looks at a wider window than the stored face, and a larger picture of it: it misses faces that
# fill the frame, and is more exact with more pixels.
WINDOW = 1.4
WINDOW_PIXELS = 224
VERTICES = 468

# Face Mesh vertices that stand where the iBUG 68 points stand; consistent under Face Mesh's own mirror
# symmetry. The jaw is an approximation: iBUG marks the visible contour, Face Mesh a fixed line on the head.
FACE_MESH_TO_IBUG68 = (
    162, 234, 93, 58, 172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 323, 454, 389,
    70, 63, 105, 66, 107, 336, 296, 334, 293, 300,
    168, 197, 5, 4, 75, 97, 2, 326, 305,
    33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380,
    61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181, 78, 82, 13, 312, 308, 317, 14, 87,
)  # fmt: skip
VERTEX_OF = {f"ibug68/{i}": vertex for i, vertex in enumerate(FACE_MESH_TO_IBUG68)} | {
    f"facemesh/{vertex}": vertex for vertex in range(VERTICES)
}


class FaceMesh(Annotator):
    """MediaPipe Face Mesh on single pictures; open in one place of a process at a time, as it holds a graph."""

    name, title, looks = "mediapipe", "Face Mesh", True
    points = VERTEX_OF.keys()

    def __init__(self) -> None:
        self._mesh: Any = None
        self._has_spoken = False

    @cached_property
    def version(self) -> str:
        return importlib.metadata.version("mediapipe")

    def open(self) -> None:
        keep_quiet()
        with native_stderr_off():
            import mediapipe as mp

            self._mesh = mp.solutions.face_mesh.FaceMesh(static_image_mode=True, max_num_faces=1)
            self._mesh.process(np.zeros((8, 8, 3), np.uint8))  # it starts, and says so, behind our back

    def close(self) -> None:
        self._mesh.close()
        self._mesh, self._has_spoken = None, False

    def find(self, picture: Picture, scheme: Scheme) -> Points | None:
        """Looks in a window around the square of the face."""
        size = picture.size
        zoom = WINDOW_PIXELS / (WINDOW * size)
        # face pixels -> window pixels, centre to centre
        to_window = picture.to_face * zoom
        to_window[:, 2] += (WINDOW_PIXELS - 1) / 2 - zoom * (size - 1) / 2
        points = self.landmarks(cut(picture.pixels, to_window, WINDOW_PIXELS), scheme)
        return None if points is None else moved(points, inverse(to_window))

    def landmarks(self, pixels: NDArray[np.uint8], scheme: Scheme) -> Points | None:
        """Landmarks `[K, 2]` in pixels of the whole picture `[H, W, 3]` RGB, or None where no face is found."""
        # Each of its graphs logs when a first face comes through.
        with nullcontext() if self._has_spoken else native_stderr_off():
            found = self._mesh.process(pixels).multi_face_landmarks
        if not found:
            return None
        self._has_spoken = True
        height, width = pixels.shape[:2]
        # Face Mesh gives 0..1 of the picture, measured from its edge.
        vertices = np.array([(vertex.x, vertex.y) for vertex in found[0].landmark])
        return chosen((vertices * (width, height) - 0.5).astype(np.float32), VERTEX_OF, scheme, self.title)
