"""The report page of a run: RUN/report/index.html and its pictures."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import jinja2
import numpy as np

from lmedge.evaluation.plots import error_curves, psnr_histogram, training_curves
from lmedge.faces.record import encode_png
from lmedge.landmarks import drawn, enlarged, grid, scheme_named
from lmedge.storage import making_folder, write_bytes

if TYPE_CHECKING:
    from lmedge.evaluation.evaluate import Evaluation

FACE_PIXELS = 128  # faces are enlarged to about this


@dataclass
class _Section:
    title: str
    style: str = ""
    pictures: list[dict[str, str]] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)

    def add(self, name: str, png: bytes, caption: str) -> None:
        self.files[name] = png
        self.pictures.append({"file": name, "caption": caption})


def write_report(evaluation: Evaluation) -> None:
    """Draws the page. The old one stays until the new one is whole."""
    run = evaluation.run
    sections = [s for s in (_samples(evaluation), _inversions(evaluation), _mirror(evaluation),
                            _training(evaluation), _errors(evaluation)) if s.pictures]  # fmt: skip
    config = run.config()
    trained, data = config["stages"].get("train-began", {}), config.get("dataset", {})
    log = run.log()
    summary = (
        f"A {data.get('size')} px generator of width {trained.get('width')}, trained for "
        f"{log[-1]['kimg'] if log else 0:.0f} thousand images on {data.get('count')} faces "
        f"(licence: {data.get('licence')})."
    )
    loader = jinja2.FileSystemLoader(Path(__file__).parent)
    page = jinja2.Environment(loader=loader, autoescape=True).get_template("report.html").render(
        name=run.path.resolve().name, summary=summary, notes=evaluation.notes, lines=evaluation.lines,
        sections=sections, config=json.dumps(config, indent=2),
    )  # fmt: skip
    with making_folder(run.report, ("index.html",), overwrite=True) as folder:
        for section in sections:
            for name, png in section.files.items():
                write_bytes(folder / name, png)
        write_bytes(folder / "index.html", page.encode())


def _samples(evaluation: Evaluation) -> _Section:
    section = _Section("Samples", "two")
    faces = evaluation.samples
    if faces is None:
        return section
    scale = max(1, FACE_PIXELS // faces.shape[1])
    section.add("samples.png", encode_png(grid([enlarged(f, scale) for f in faces], 8)), "64 fresh faces.")
    if evaluation.sample_points is not None:
        scheme = scheme_named(evaluation.run.config()["dataset"]["scheme"])
        pictures = [drawn(f, p, scheme, scale) for f, p in zip(faces, evaluation.sample_points, strict=True)]
        section.add("landmarks.png", encode_png(grid(pictures, 8)), "The same with the landmarks that L-Gen gives.")
    return section


def _inversions(evaluation: Evaluation) -> _Section:
    section = _Section("Inversion", "scroll")
    if evaluation.inversions is None or evaluation.latents is None:
        return section
    real, inverted = evaluation.inversions
    scale = max(1, FACE_PIXELS // real.shape[1])
    rows = [enlarged(f, scale) for f in real], [enlarged(f, scale) for f in inverted]
    caption = "Above the real faces, below what the generator makes of them."
    if evaluation.inversion_points is not None:
        true, predicted = evaluation.inversion_points
        scheme = evaluation.latents.scheme
        rows = (
            [drawn(f, p, scheme, scale) for f, p in zip(real, true, strict=True)],
            [drawn(f, p, scheme, scale) for f, p in zip(inverted, predicted, strict=True)],
        )
        caption = (
            "Above the real faces with their annotation, below what the generator makes of them with the "
            "landmarks that L-Gen gives."
        )
    half = -(-len(real) // 2)
    ordered = [*rows[0][:half], *rows[1][:half], *rows[0][half:], *rows[1][half:]]
    if len(real) % 2:  # the second pair of rows is one face short
        ordered = [*rows[0], *rows[1]]
        half = len(real)
    section.add("inversions.png", encode_png(grid(ordered, half)), caption)
    return section


def _mirror(evaluation: Evaluation) -> _Section:
    section = _Section("Mirror paths", "scroll")
    if evaluation.mirror is None or evaluation.latents is None:
        return section
    paths, scheme = evaluation.mirror, evaluation.latents.scheme
    scale = max(1, 96 // paths.real.shape[1])
    pictures = []
    for real, faces, points in zip(paths.real, paths.faces, paths.landmarks, strict=True):
        pictures.append(enlarged(real, scale))
        pictures += [drawn(f, p, scheme, scale) for f, p in zip(faces, points, strict=True)]
        pictures.append(enlarged(np.ascontiguousarray(real[:, ::-1]), scale))
    section.add("mirror.png", encode_png(grid(pictures, paths.faces.shape[1] + 2)),
                "A real face, the way from its latent to that of its mirror image, and the mirrored face.")  # fmt: skip
    return section


def _training(evaluation: Evaluation) -> _Section:
    section = _Section("Training")
    log = evaluation.run.log()
    if len(log) > 1:
        section.add("training.png", training_curves(log), "Means over the steps between two lines of log.jsonl.")
    return section


def _errors(evaluation: Evaluation) -> _Section:
    section = _Section("Errors", "two")
    figures = evaluation.figures
    curves = {}
    if "held_out" in figures:
        curves["L-Gen on held-out inverted faces"] = figures["held_out"]["curve"]
    if "self_consistency" in figures:
        curves["L-Gen against Face Mesh on samples"] = figures["self_consistency"]["curve"]
    if curves:
        section.add("errors.png", error_curves(curves), "Share of faces below an error.")
    if evaluation.latents is not None:
        section.add("psnr.png", psnr_histogram(evaluation.latents.psnr), "How near the inversions come.")
    return section
