"""Landmarks of faces, by a detector that `lmedge study` exported."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lmedge.errors import LmedgeError, UsageError
from lmedge.landmarks import in_pixels
from lmedge.runtime import interpreter as interpreters
from lmedge.runtime.bundle import read_model, scheme_in
from lmedge.variants import InterpreterName

DETECT = "detect"


class LandmarkDetector:
    """`LandmarkDetector("detector-int8.tflite").landmarks(faces)`. Not thread-safe: one a thread.

    `interpreter` and `threads` as for FaceSampler. Raises LmedgeError for a file that is no detector.
    """

    def __init__(self, model: Path | str, interpreter: InterpreterName = "auto", threads: int | None = 1):
        self.interpreter = interpreters.choose(interpreter)
        self.about = read_model(Path(model)).about
        loaded = interpreters.load(self.interpreter, str(model), interpreters.threads_of(self.interpreter, threads))
        if DETECT not in loaded.get_signature_list():
            raise LmedgeError(f"{model} has no signature {DETECT!r}; it is not a landmark detector of lmedge.")
        self._run = loaded.get_signature_runner(DETECT)
        self.size = int(self._run.get_input_details()["image"]["shape"][1])
        points = int(self._run.get_output_details()["landmarks"]["shape"][1])
        self.scheme = scheme_in(self.about, Path(model))
        if self.scheme.count != points:
            raise LmedgeError(f"{model} gives {points} points, and {self.scheme} has {self.scheme.count}.")

    def landmarks(self, faces: NDArray[np.uint8]) -> NDArray[np.float32]:
        """`[N, K, 2]` in pixels of faces `[N, size, size, 3]` RGB, cropped as those that it learnt from. Raises
        UsageError for another shape or type."""
        if faces.dtype != np.uint8 or faces.shape[1:] != (self.size, self.size, 3):
            raise UsageError(f"faces {faces.dtype} {faces.shape} are not uint8 [N, {self.size}, {self.size}, 3].")
        found = [self._run(image=faces[i : i + 1])["landmarks"][0] for i in range(len(faces))]
        return in_pixels(np.array(found, np.float32).reshape(len(faces), self.scheme.count, 2), self.size, self.size)
