"""What the training of a detector has given, for whoever shows it."""

from dataclasses import dataclass
from pathlib import Path

from lmedge.detector.diet import Diet, LabelledFaces
from lmedge.detector.figures import Measured
from lmedge.provenance import Provenance


@dataclass(frozen=True)
class Lesson:
    """What a detector is trained and tested on. `provenance` of the landmarks in whose style it speaks; `tested_on`
    says which faces `test` has, in words; `moved`: were landmarks of generated faces moved to where real ones are?"""

    diet: Diet
    test: LabelledFaces
    provenance: Provenance
    tested_on: str
    moved: bool


@dataclass(frozen=True)
class TrainedDetector:
    """A detector in the folder `out`: its models as measured on the faces of `lesson.test`, and the NME of the mean
    face there."""

    out: Path
    models: list[Measured]
    lesson: Lesson
    mean_face_nme: float
