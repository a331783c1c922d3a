"""What Face Mesh sees on the faces of a generator."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmedge.executor import Executor
from lmedge.faces.annotate import FaceMesh, Looks, View, look, start_looking
from lmedge.keras_model import BATCH, Generator
from lmedge.processes import Processes
from lmedge.scheme import Scheme

WORTH_A_WORKER = 256  # faces; starting a process takes as long as looking at these


def draw(generator: Any, z: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Faces `[N, H, W, 3]` of latents `[N, Z]`."""
    return Generator(generator).images(z)


@dataclass(frozen=True)
class Annotated:
    """What Face Mesh finds on the faces of latents `[N, Z]`.

    `found` `[N, V]`: was there a face in this view; `at` `[M]`: indices of those found in every view; `views`
    `[M, V, K, 2]`: their landmarks in pixels, as each view gives them.
    """

    found: NDArray[np.bool_]
    at: NDArray[np.int64]
    views: NDArray[np.float32]

    @property
    def landmarks(self) -> NDArray[np.float32]:
        """`[M, K, 2]`, the mean of the views: Face Mesh's own errors differ between them."""
        return self.views.mean(axis=1)


def annotated(
    generator: Any, z: NDArray[np.float32], scheme: Scheme, advance: Callable[..., None],
    views: tuple[View, ...] = ("plain",), executor: Executor | None = None,
) -> Annotated:  # fmt: skip
    """Draws the faces of latents `[N, Z]` and looks for their landmarks; where there are many, in the workers
    of `executor` (None: processes of this machine)."""
    looks: list[Looks] = []
    if len(z) * len(views) < 2 * WORTH_A_WORKER:
        with FaceMesh() as mesh:
            for start in range(0, len(z), BATCH):
                faces = draw(generator, z[start : start + BATCH])
                looks += [[mesh.of_face(face, scheme, view) for view in views] for face in faces]
                advance(len(faces))
    else:
        jobs = [(face, scheme, views) for face in draw(generator, z)]
        with (executor or Processes()).answers(look, jobs, (start_looking, ())) as answers:
            for answer in answers:
                looks.append(answer)
                advance(1)
    found = np.array([[points is not None for points in look] for look in looks]).reshape(len(z), len(views))
    at = np.flatnonzero(found.all(axis=1))
    marks = np.array([looks[i] for i in at], np.float32).reshape(-1, len(views), scheme.count, 2)
    return Annotated(found, at, marks)
