"""What an annotator sees on many faces, in worker processes where it pays."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lmedge.annotators.annotator import Annotator, Points, View
from lmedge.executor import Executor
from lmedge.processes import Processes
from lmedge.scheme import Scheme

WORTH_A_WORKER = 256  # faces; starting a process takes as long as looking at these


@dataclass(frozen=True)
class Seen:
    """What an annotator finds on faces.

    `found` `[N, V]`: was there a face in this view; `at` `[M]`: indices of those found in every view; `views`
    `[M, V, K, 2]`: their landmarks in pixels, as each view gives them.
    """

    found: NDArray[np.bool_]
    at: NDArray[np.int64]
    views: Points

    @property
    def landmarks(self) -> Points:
        """`[M, K, 2]`, the mean of the views: an annotator's own errors differ between them."""
        return self.views.mean(axis=1)


def look(
    annotator: Annotator, faces: NDArray[np.uint8], scheme: Scheme, advance: Callable[..., None],
    views: tuple[View, ...] = ("plain",), executor: Executor | None = None,
) -> Seen:  # fmt: skip
    """Looks for the landmarks of faces `[N, S, S, 3]`, in the workers of `executor` (None: processes of
    this machine) where there are many."""
    looks: list[list[Points | None]] = []
    if len(faces) * len(views) < 2 * WORTH_A_WORKER:
        with annotator:
            for face in faces:
                looks.append([annotator.of_face(face, scheme, view) for view in views])
                advance(1)
    else:
        jobs = ((face, scheme, views) for face in faces)
        with (executor or Processes()).answers(_look, jobs, (_start, (annotator,))) as answers:
            for answer in answers:
                looks.append(answer)
                advance(1)
    found = np.array([[points is not None for points in of_face] for of_face in looks]).reshape(len(faces), len(views))
    at = np.flatnonzero(found.all(axis=1))
    marks = np.array([looks[i] for i in at], np.float32).reshape(-1, len(views), scheme.count, 2)
    return Seen(found, at, marks)


_annotator: Annotator  # one a worker process


def _start(annotator: Annotator) -> None:
    import cv2

    cv2.setNumThreads(1)
    annotator.open()
    global _annotator
    _annotator = annotator


def _look(job: tuple[NDArray[np.uint8], Scheme, tuple[View, ...]]) -> list[Points | None]:
    face, scheme, views = job
    return [_annotator.of_face(face, scheme, view) for view in views]
