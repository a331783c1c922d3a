"""Landmarks of a face, from MediaPipe Face Mesh."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lmedge.faces.cartoon import draw_face, random_look
from lmedge.faces.photo import Affine, Image8, cut, inverse, moved
from lmedge.landmarks import mirrored
from lmedge.quiet import keep_quiet, native_stderr_off
from lmedge.scheme import Scheme, chosen

# Face Mesh looks at a wider window than the stored face, and a larger picture of it: it misses faces that
# fill the frame, and is more exact with more pixels.
WINDOW = 1.4
WINDOW_PIXELS = 224
SHIFT = 1 / 32  # of the side of a face: 2 pixels of 64

# Face Mesh vertices that stand where the iBUG 68 points stand; consistent under Face Mesh's own mirror
# symmetry. The jaw is an approximation: iBUG marks the visible contour, Face Mesh a fixed line on the head.
FACE_MESH_TO_IBUG68 = (
    162, 234, 93, 58, 172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 323, 454, 389,
    70, 63, 105, 66, 107, 336, 296, 334, 293, 300,
    168, 197, 5, 4, 75, 97, 2, 326, 305,
    33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380,
    61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181, 78, 82, 13, 312, 308, 317, 14, 87,
)  # fmt: skip

# What Face Mesh gives, and which of its vertices that is.
GIVEN = {
    **{f"ibug68/{i}": vertex for i, vertex in enumerate(FACE_MESH_TO_IBUG68)},
    **{f"facemesh/{i}": i for i in range(468)},
}

View = Literal["plain", "mirror", "shifted"]
Looks = list[NDArray[np.float32] | None]  # landmarks `[K, 2]` of each view


class FaceMesh:
    """MediaPipe Face Mesh on single pictures; one a process, as it holds a graph.

    Use it as a context manager or close it.
    """

    def __init__(self) -> None:
        keep_quiet()
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
        """Landmarks `[K, 2]` in pixels of the picture `[H, W, 3]` RGB, or None where no face is found. Raises
        UsageError for a scheme with points that Face Mesh does not have."""
        found = self._mesh.process(pixels).multi_face_landmarks
        if not found:
            return None
        height, width = pixels.shape[:2]
        # Face Mesh gives 0..1 of the picture, measured from its edge.
        vertices = np.array([(vertex.x, vertex.y) for vertex in found[0].landmark])
        return chosen((vertices * (width, height) - 0.5).astype(np.float32), GIVEN, scheme, "Face Mesh")

    def around(self, pixels: Image8, to_face: Affine, size: int, scheme: Scheme) -> NDArray[np.float32] | None:
        """Landmarks `[K, 2]` in pixels of the photo, looked for in a window around the square that `to_face`
        maps to a face of `size` pixels; None where no face is found."""
        zoom = WINDOW_PIXELS / (WINDOW * size)
        # face pixels -> window pixels, centre to centre
        to_window = to_face * zoom
        to_window[:, 2] += (WINDOW_PIXELS - 1) / 2 - zoom * (size - 1) / 2
        points = self.landmarks(cut(pixels, to_window, WINDOW_PIXELS), scheme)
        return None if points is None else moved(points, inverse(to_window))

    def of_face(self, face: Image8, scheme: Scheme, view: View = "plain") -> NDArray[np.float32] | None:
        """Landmarks `[K, 2]` in pixels of a stored or generated face, seen as `prepare` sees one; or None.

        In another `view` it is looked at in a mirror, or `SHIFT` of its side further to the right; the points are
        those of the face as given. How much they differ says how exact Face Mesh is.
        """
        size = len(face)
        if view == "mirror":
            points = self.around(np.ascontiguousarray(face[:, ::-1]), np.eye(2, 3), size, scheme)
            return None if points is None else mirrored(points, size, scheme)
        to_face = np.eye(2, 3)
        to_face[0, 2] = SHIFT * size if view == "shifted" else 0.0
        return self.around(face, to_face, size, scheme)


_mesh: FaceMesh  # one a worker process


def start_looking() -> None:
    """Sets up a worker process for `look`."""
    import cv2

    cv2.setNumThreads(1)
    global _mesh
    _mesh = FaceMesh()


def look(job: tuple[Image8, Scheme, tuple[View, ...]]) -> Looks:
    """The landmarks of a (face, scheme, views) in each view."""
    face, scheme, views = job
    return [_mesh.of_face(face, scheme, view) for view in views]
