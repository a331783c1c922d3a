"""What a detector is worth, as a device runs it."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lmedge.detector.diet import LabelledFaces
from lmedge.landmarks import nme
from lmedge.runtime.detector import LandmarkDetector

TIMED = 200  # faces


@dataclass(frozen=True)
class Measured:
    """A model file: its size, milliseconds a face on one thread, its `points` `[N, K, 2]` in pixels of some faces, and
    their NMEs `[N]`."""

    file: Path
    bytes: int
    ms: float
    points: NDArray[np.float32]
    errors: NDArray[np.float32]

    @property
    def nme(self) -> float:
        return float(self.errors.mean())


def measured(file: Path, test: LabelledFaces) -> Measured:
    """Runs the detector in a file on faces that it has not learnt from."""
    detector = LandmarkDetector(file)
    points = detector.landmarks(test.images)
    ms = milliseconds(detector.landmarks, test.images[:, None])
    return Measured(file, file.stat().st_size, ms, points, nme(points, test.landmarks, test.scheme))


def milliseconds(find: Callable[[NDArray[np.uint8]], object], faces: NDArray[np.uint8]) -> float:
    """The median time of a face, the first of which are not counted."""
    times = []
    for face in faces[:TIMED]:
        start = time.perf_counter()
        find(face)
        times.append(time.perf_counter() - start)
    return statistics.median(times[len(times) // 10 :]) * 1e3
