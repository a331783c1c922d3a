"""What a study has found, for whoever shows it."""

from dataclasses import dataclass
from pathlib import Path

from lmedge.study.arms import Interval


@dataclass(frozen=True)
class ExportedDetector:
    """A detector for the phone: the model file, what it learnt from, its size, milliseconds a face on one thread, and
    its NME on the test faces."""

    file: Path
    arm: str
    real: int
    bytes: int
    ms: float
    nme: float


@dataclass(frozen=True)
class AnnotatorFigures:
    """Of the annotator called `title`: NME on the test faces in which it finds a face, as it is and fitted to the style
    of all real faces; the share of such faces; milliseconds a face."""

    title: str
    nme: float
    styled: float
    found: float
    ms: float


@dataclass(frozen=True)
class StudyResult:
    """`errors`: mean NMEs by (arm, real faces), 0 of them for the arm without; `shares` of generated faces that were
    chosen, one a seed, by (arm, real faces); `gains`: by which share an arm is below
    another, by (arm, other, real faces), of those in `COMPARED`; `annotator`: who looks, itself on the test faces, or
    None where it finds none."""

    out: Path
    test_faces: int
    errors: dict[tuple[str, int], Interval]
    shares: dict[tuple[str, int], list[float]]
    gains: dict[tuple[str, str, int], Interval]
    exported: list[ExportedDetector]
    annotator: AnnotatorFigures | None
