"""Landmarks of faces, by a detector of `lmedge train-detector` or `study`."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lmedge.crop import crop_of
from lmedge.errors import LmedgeError, UsageError
from lmedge.landmarks import in_pixels
from lmedge.provenance import NOT_STATED, Provenance
from lmedge.runtime import interpreter as interpreters
from lmedge.runtime.bundle import read_model, scheme_in
from lmedge.runtime.square import Square
from lmedge.variants import DetectorVariant, InterpreterName

DETECT = "detect"  # signature of its models
DETECTOR_FILE, DETECTOR_SCHEMA = "detector.json", 1


def detector_file(path: Path, variant: DetectorVariant) -> Path:
    """The model file of a detector: `path` itself, or that of a variant in a folder of `lmedge train-detector` or
    `study`. Raises UsageError where there is none."""
    if path.is_file() and path.suffix == ".tflite":
        return path
    name = f"detector-{variant}.tflite"
    for file in (path / name, path / "detector" / name):
        if file.is_file():
            return file
    if path.is_dir():
        raise UsageError(f"{path} has no {name}; name a folder of `lmedge train-detector` or `study`.")
    what = "is no .tflite file" if path.exists() else "does not exist"
    raise UsageError(f"{path} {what}; name a folder of `lmedge train-detector` or `study`, or a model in one.")


class LandmarkDetector:
    """`LandmarkDetector("detector-int8.tflite").landmarks(faces)`. Not thread-safe: one a thread.

    `size` of the faces that it takes, `scheme` of its landmarks, `provenance` of those that it learnt from.
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
        said = self.about.get("provenance")
        self.provenance = Provenance(NOT_STATED, "") if said is None else Provenance.from_json(said, str(model))

    def landmarks(self, faces: NDArray[np.uint8]) -> NDArray[np.float32]:
        """`[N, K, 2]` in pixels of faces `[N, size, size, 3]` RGB, cropped as those that it learnt from. Raises
        UsageError for another shape or type."""
        if faces.dtype != np.uint8 or faces.shape[1:] != (self.size, self.size, 3):
            raise UsageError(f"faces {faces.dtype} {faces.shape} are not uint8 [N, {self.size}, {self.size}, 3].")
        found = [self._run(image=faces[i : i + 1])["landmarks"][0] for i in range(len(faces))]
        return in_pixels(np.array(found, np.float32).reshape(len(faces), self.scheme.count, 2), self.size, self.size)

    def landmarks_in(self, picture: NDArray[np.uint8], box: Sequence[float]) -> NDArray[np.float32]:
        """`[K, 2]` in pixels of a picture `[H, W, 3]` RGB of any size, of the face in a `box` (x, y, width, height).

        The box is where a face detector sees it, from brows to chin as OpenCV's cascade does, in pixels from the
        picture's top-left corner; it may hang over the border. The square around it is cut as the faces were that the
        detector learnt from, so where those were whole pictures (`--crop none`) it is taken as it is. Raises UsageError
        for a picture of another shape or type and for what is no box in it, LmedgeError where faces were turned by
        their landmarks (`--crop landmarks`), which no box tells.
        """
        picture = np.asarray(picture)
        if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3 or not picture.size:
            raise UsageError(f"a picture {picture.dtype} {picture.shape} is not uint8 [H, W, 3].")
        square = self.square(box)
        height, width = picture.shape[:2]
        if not (-square.side < square.x < width and -square.side < square.y < height):
            raise UsageError(f"the box {tuple(box)} lies outside of a picture of {width} x {height} pixels.")
        return square.in_picture(self.landmarks(square.cut(picture, self.size)[None])[0], self.size)

    def square(self, box: Sequence[float]) -> Square:
        """What is looked at for a face in a box. Raises as `landmarks_in`."""
        crop, margin = crop_of(self.provenance)
        if crop == "landmarks":
            raise LmedgeError(
                "this detector learnt from faces that were turned and moved by their landmarks, which a box does not "
                "tell; learn from faces of `lmedge prepare --crop haar`."
            )
        return Square.around(box, margin if crop == "haar" else 0.0)
