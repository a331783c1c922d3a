"""Landmarks of a face, from MediaPipe Face Mesh."""

import numpy as np
from numpy.typing import NDArray

from lmedge.faces.cartoon import draw_face, random_look
from lmedge.faces.photo import Affine, Image8, cut, inverse, moved
from lmedge.landmarks import FACE_MESH_TO_IBUG68, IBUG68, Scheme, convert_scheme
from lmedge.quiet import native_stderr_off, set_variables

# Face Mesh looks at a wider window than the stored face, and a larger picture of it: it misses faces that
# fill the frame, and is more exact with more pixels.
WINDOW = 1.4
WINDOW_PIXELS = 224


class FaceMesh:
    """MediaPipe Face Mesh on single pictures; one a process, as it holds a graph.

    Use it as a context manager or close it.
    """

    def __init__(self) -> None:
        set_variables()
        with native_stderr_off():
            import mediapipe as mp

            self._mesh = mp.solutions.face_mesh.FaceMesh(static_image_mode=True, max_num_faces=1)
            # Each of its graphs logs when a first face comes through.
            self._mesh.process(draw_face(random_look(np.random.default_rng(7)), 128)[0])

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

    def around(self, pixels: Image8, to_face: Affine, size: int, scheme: Scheme) -> NDArray[np.float32] | None:
        """Landmarks `[K, 2]` in pixels of the photo, looked for in a window around the square that `to_face`
        maps to a face of `size` pixels; None where no face is found."""
        zoom = WINDOW_PIXELS / (WINDOW * size)
        # face pixels -> window pixels, centre to centre
        to_window = to_face * zoom
        to_window[:, 2] += (WINDOW_PIXELS - 1) / 2 - zoom * (size - 1) / 2
        points = self.landmarks(cut(pixels, to_window, WINDOW_PIXELS), scheme)
        return None if points is None else moved(points, inverse(to_window))

    def of_face(self, face: Image8, scheme: Scheme) -> NDArray[np.float32] | None:
        """Landmarks `[K, 2]` in pixels of a stored or generated face, seen as `prepare` sees one; or None."""
        return self.around(face, np.eye(2, 3), len(face), scheme)
