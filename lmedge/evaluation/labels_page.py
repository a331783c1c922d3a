"""The report page of an L-Gen that has learnt from labels: RUN/report/index.html."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from lmedge.evaluation.report import Section, write_page
from lmedge.faces.record import encode_png
from lmedge.lgen.few import FewResult
from lmedge.lgen.figures import told
from lmedge.pictures import enlarged, grid

PIXELS, COLUMNS = 256, 5  # to which a face is enlarged, about; faces a row
PLACED, FOUND = (0, 224, 90), (255, 59, 107)


def labels_page(result: FewResult) -> None:
    """Draws the page: the errors of every point, and the labelled faces with what people placed and what L-Gen would
    say of each if it had not been labelled."""
    section = Section("Labelled faces")
    section.add(
        "labels.png", encode_png(_faces(result)), "Green: as placed. Red: as L-Gen has it, learnt without the face."
    )
    write_page(result.run, result.run.report, [section], lines_of(result), [f"{result.sentence[0].upper()}"
               f"{result.sentence[1:]}."], {})  # fmt: skip


def lines_of(result: FewResult) -> list[tuple[str, str]]:
    """What was measured: label, text."""
    held, own = result.metrics["held_out"], result.metrics["generated"]
    lines = [("Error on labelled faces, each left out",
              f"{held['nme']:.2%} of {held['faces']} faces (the mean face has {result.metrics['mean_face_nme']:.2%})"),
             ("L-Gen against what it learnt from", f"{own['held_out']['nme']:.2%}"),
             ("By the confidence of points", told(result.metrics["point_confidence"]))]  # fmt: skip
    counts = result.learnt.examples.placed.sum(axis=0).tolist()
    for (name, error), count in zip(result.metrics["labels"]["points"].items(), counts, strict=True):
        text = "not labelled: as the model has it" if error is None else f"{error:.2%} ({count} faces)"
        lines.append((f"  {name}", text))
    return lines


def _faces(result: FewResult) -> NDArray[np.uint8]:
    labels, examples = result.labels, result.learnt.examples
    scale = max(1, PIXELS // labels.width)
    pictures = []
    for face, points, placed, found in zip(result.learnt.at.tolist(), examples.points, examples.placed, result.points,
                                           strict=True):  # fmt: skip
        with Image.open(labels.image_file(face)) as image:
            picture = Image.fromarray(enlarged(np.asarray(image.convert("RGB")), scale))
        draw = ImageDraw.Draw(picture)
        for true, guess in zip(points[placed], found[placed], strict=True):
            where, there = ((place + 0.5) * scale - 0.5 for place in (true, guess))
            if np.isfinite(there).all():
                draw.line([tuple(where), tuple(there)], fill=FOUND)
                draw.ellipse([*(there - 2), *(there + 2)], outline=FOUND)
            draw.ellipse([*(where - 3), *(where + 3)], outline=PLACED)
        pictures.append(np.asarray(picture))
    return grid(pictures, COLUMNS)
