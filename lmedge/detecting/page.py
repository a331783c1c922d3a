"""The page of a detector: its errors, and its points on faces that it has not learnt from."""

from pathlib import Path
from typing import Any

import numpy as np

from lmedge.detecting.result import TrainedDetector
from lmedge.evaluation.plots import point_errors
from lmedge.evaluation.report import Section, page_of
from lmedge.faces.record import encode_png
from lmedge.pictures import contact_sheet
from lmedge.storage import write_bytes

PAGE_FILES = ("index.html", "held-out.png", "points.png")
SHOWN, COLUMNS = 24, 8  # faces, from the best to the worst


def lines_of(made: TrainedDetector) -> list[tuple[str, str]]:
    """What was measured: label, text."""
    lines = [(model.file.name, f"NME {model.nme:.2%} (median {np.median(model.errors):.2%}), {model.bytes / 1024:.0f} "
              f"KiB, {model.ms:.2f} ms a face on one thread") for model in made.models]  # fmt: skip
    return [*lines, ("the mean face", f"NME {made.mean_face_nme:.2%}")]


def write_page(made: TrainedDetector, folder: Path, about: dict[str, Any]) -> None:
    """index.html and its pictures."""
    lesson, model = made.lesson, made.models[0]
    test, learnt = lesson.test, about["learnt_from"]
    order = np.argsort(model.errors)[np.linspace(0, len(test) - 1, min(SHOWN, len(test))).round().astype(int)]
    pairs = [order[i : i + COLUMNS] for i in range(0, len(order), COLUMNS)]
    at = np.concatenate([row for part in pairs for row in (part, part)])
    marks = np.concatenate([each for part in pairs for each in (test.landmarks[part], model.points[part])])
    faces = Section("Faces that it has not learnt from", "scroll")
    faces.add("held-out.png", encode_png(contact_sheet(test.images[at], marks, test.scheme, min(COLUMNS, len(order)))),
              "From the best to the worst: above each row of faces with the landmarks that they should have, below the "
              "same with what the detector finds.")  # fmt: skip
    points = Section("Where it errs")
    points.add("points.png", point_errors(*_mean_errors(made)),
               "Mean error of each point, in percent of the distance between the reference points.")  # fmt: skip
    for section in (faces, points):
        for name, png in section.files.items():
            write_bytes(folder / name, png)
    summary = (
        f"A landmark detector: {test.scheme.count} points of {test.scheme}, of faces of {test.images.shape[1]} pixels. "
        f"It learnt from {learnt['real']} real and {learnt['generated']} generated faces, and was tested on "
        f"{lesson.tested_on}."
    )
    write_bytes(
        folder / "index.html", page_of("Landmark detector", summary, [], lines_of(made), [faces, points], about)
    )


def _mean_errors(made: TrainedDetector) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The held-out face that is most like the mean one, its landmarks, and the mean error of each point `[K]` in
    distances of the reference points."""
    test, model = made.lesson.test, made.models[0]
    middle = int(np.abs(test.landmarks - test.landmarks.mean(axis=0)).mean(axis=(1, 2)).argmin())
    first, second = test.scheme.reference
    reference = np.linalg.norm(test.landmarks[:, first] - test.landmarks[:, second], axis=-1)
    off = np.linalg.norm(model.points - test.landmarks, axis=-1) / np.maximum(reference, 1e-6)[:, None]
    return test.images[middle], test.landmarks[middle], off.mean(axis=0)
