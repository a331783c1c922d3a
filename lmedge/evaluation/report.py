"""The report page of a run: RUN/report/index.html and its pictures."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jinja2
import numpy as np

from lmedge.errors import LmedgeError, UsageError
from lmedge.evaluation.evaluation import Evaluation
from lmedge.evaluation.options import ReportConfig
from lmedge.evaluation.plots import error_curves, judged_curves, point_errors, psnr_histogram, training_curves
from lmedge.faces.record import encode_png
from lmedge.folders import check_folder, making_folder
from lmedge.gan.families import family_of
from lmedge.gan.options import TrainGanConfig
from lmedge.kept import keeps_run
from lmedge.pictures import SHEET_PIXELS, contact_sheet, drawn, enlarged, grid
from lmedge.run import Run
from lmedge.storage import read_json, write_bytes, write_json
from lmedge.swap import settle

TEMPLATES = Path(__file__).parent
KIND, FILES = "a report", ("index.html", "page.json", "*.png")
PAGE_FILE = "page.json"  # what `report` takes over from the last evaluation
SHOWN_NEIGHBOURS = 12
PATH_PIXELS = 96  # to which the faces of a path are enlarged, about


@dataclass
class Section:
    """A heading of the page, and the pictures below it."""

    title: str
    style: str = ""
    pictures: list[dict[str, str]] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)

    def add(self, name: str, png: bytes, caption: str) -> None:
        self.files[name] = png
        self.pictures.append({"file": name, "caption": caption})


def page_folder(run: Run, out: Path | None) -> Path:
    """Where the page goes. Raises UsageError, before anything is measured, where it cannot be written, and for the run
    that comes with lmedge."""
    if out is None:
        run.refuse_shipped(", or add --out FOLDER")
        check_folder(run.report, KIND, True, adopt=FILES, option="")
        return run.report
    if Run(out).shipped:
        raise UsageError(f"--out {out} comes with lmedge and is never written to; name a folder of your own.")
    check_folder(out, KIND, True)
    return out


def write_report(evaluation: Evaluation, files: dict[str, bytes]) -> None:
    """Draws the page with the pictures of an evaluation, and puts `files` beside it. The old one stays until the new
    one is whole."""
    parts = (_samples, _attributes, _neighbours, _inversions, _mirror, _random, _points, _errors)
    sections = [part(evaluation) for part in parts]
    write_page(evaluation.run, evaluation.page, sections, evaluation.lines, evaluation.notes, files)


@keeps_run
def report(config: ReportConfig) -> Path:
    """Draws the page again from the log, with what the last evaluation left; see ReportConfig. Loads no network.

    Raises UsageError for a folder that is no run, LmedgeError for one that has logged nothing.
    """
    run = Run.open(config.run)
    folder = page_folder(run, config.out)
    evaluate = f"`lmedge evaluate {run}{f' --out {config.out}' if config.out else ''}`"
    if folder.is_dir():
        settle(folder)
    if not run.log() and not (folder / PAGE_FILE).exists():
        raise LmedgeError(
            f"{run} has logged nothing yet, as `lmedge train-gan` does while it trains; {evaluate} measures "
            "what is there."
        )
    lines, notes, sections = [], [f"Not evaluated yet; {evaluate} adds figures."], []
    files = {}
    if (folder / PAGE_FILE).exists():
        page = read_json(folder / PAGE_FILE, "a report", {"lines": list, "notes": list, "sections": list})
        try:
            lines, notes = [(str(label), str(text)) for label, text in page["lines"]], page["notes"]
            sections = [_again(folder, old) for old in page["sections"]]
        except (TypeError, ValueError, KeyError):
            raise LmedgeError(f"{folder / PAGE_FILE} was damaged or edited by hand; delete it.") from None
        if (folder / run.metrics_file.name).exists():
            files[run.metrics_file.name] = (folder / run.metrics_file.name).read_bytes()
    write_page(run, folder, sections, lines, notes, files)
    return folder / "index.html"


def _again(folder: Path, old: dict[str, Any]) -> Section:
    """A section of the page that is there."""
    section = Section(str(old["title"]), str(old["style"]))
    for picture in old["pictures"]:
        file = folder / Path(picture["file"]).name
        if file.exists():
            section.add(file.name, file.read_bytes(), str(picture["caption"]))
    return section


def write_page(
    run: Run, out: Path, sections: list[Section], lines: list[tuple[str, str]], notes: list[str],
    files: dict[str, bytes],
) -> None:  # fmt: skip
    """Writes the page of a run with these lines (label, text), notes and sections, its training, and `files` beside."""
    config = run.config()
    trained, family = run.stage("train-gan", TrainGanConfig), family_of(run)
    data = config.get("dataset", {})
    log, asked = run.log(), f"{trained.get('kimg', 0):g} kimg (thousand images)"
    far = f"{log[-1]['kimg']:.4g} of {asked}" if log else f"{asked}, as its options say (it has no log),"
    summary = (
        f"A {data.get('size')} px generator (family {family.name}) of width {trained.get('width')}, trained for {far} "
        f"on {data.get('count')} faces (licence: {run.provenance.licence})."
    )
    events = [f"{line['kimg']:.0f} kimg: {line['event']}" for line in run.journal() if "event" in line]
    kept = [section for section in sections if section.pictures]
    shown = [section for section in (*kept, _training(run)) if section.pictures]
    page = page_of(run.path.resolve().name, summary, [*notes, *events], lines, shown, config)
    with making_folder(out, KIND, True, adopt=FILES if out == run.report else (), option="") as folder:
        for name, data in {**files, **{name: png for section in shown for name, png in section.files.items()}}.items():
            write_bytes(folder / name, data)
        write_json(folder / PAGE_FILE, {
            "lines": lines, "notes": notes,
            "sections": [{"title": s.title, "style": s.style, "pictures": s.pictures} for s in kept],
        })  # fmt: skip
        write_bytes(folder / "index.html", page)


def page_of(
    name: str, summary: str, notes: list[str], lines: list[tuple[str, str]], sections: list[Section],
    config: dict[str, Any],
) -> bytes:  # fmt: skip
    """The page: a heading, a sentence, notes, figures (label, text), pictures, and how it was made."""
    loader = jinja2.FileSystemLoader(TEMPLATES)
    template = jinja2.Environment(loader=loader, autoescape=True).get_template("report.html")
    made = json.dumps(config, indent=2)
    return template.render(
        name=name, summary=summary, notes=notes, lines=lines, sections=sections, config=made
    ).encode()


def _samples(evaluation: Evaluation) -> Section:
    section = Section("Samples", "two")
    faces = evaluation.samples
    if faces is None:
        return section
    section.add("samples.png", encode_png(contact_sheet(faces)), "64 fresh faces.")
    if evaluation.sample_points is not None:
        marked = contact_sheet(faces, evaluation.sample_points, evaluation.run.scheme)
        section.add("landmarks.png", encode_png(marked), "The same with the landmarks that L-Gen gives.")
    return section


def _attributes(evaluation: Evaluation) -> Section:
    section = Section("Asked for by attributes", "scroll")
    if evaluation.attributes is not None:
        section.add("attributes.png", encode_png(evaluation.attributes),
                    "Six persons of the latent, asked not to have it and asked to have it, with what usually goes with "
                    "that.")  # fmt: skip
    return section


def _inversions(evaluation: Evaluation) -> Section:
    section = Section("Inversion", "scroll")
    if evaluation.inversions is None or evaluation.latents is None:
        return section
    real, inverted = evaluation.inversions
    scale = max(1, SHEET_PIXELS // real.shape[1])
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


def _mirror(evaluation: Evaluation) -> Section:
    section = Section("Mirror paths", "scroll")
    if evaluation.mirror is None or evaluation.mirror.real is None or evaluation.latents is None:
        return section
    paths, scheme = evaluation.mirror, evaluation.latents.scheme
    scale = max(1, PATH_PIXELS // paths.faces.shape[2])
    pictures = []
    for real, faces, points in zip(evaluation.mirror.real, paths.faces, paths.landmarks, strict=True):
        pictures.append(enlarged(real, scale))
        pictures += [drawn(f, p, scheme, scale) for f, p in zip(faces, points, strict=True)]
        pictures.append(enlarged(np.ascontiguousarray(real[:, ::-1]), scale))
    section.add("mirror.png", encode_png(grid(pictures, paths.faces.shape[1] + 2)),
                "A real face, the way from its latent to that of its mirror image, and the mirrored face.")  # fmt: skip
    return section


def _random(evaluation: Evaluation) -> Section:
    section = Section("Random paths", "scroll")
    if evaluation.random is None:
        return section
    faces, points = evaluation.random.faces, evaluation.random.landmarks
    scheme, steps = evaluation.run.scheme, faces.shape[1]
    paths = contact_sheet(np.concatenate(faces), np.concatenate(points), scheme, steps, PATH_PIXELS)
    section.add("random.png", encode_png(paths), "From one random face to another.")
    return section


def _points(evaluation: Evaluation) -> Section:
    section = Section("Where L-Gen errs")
    if evaluation.points is None or evaluation.samples is None or evaluation.sample_points is None:
        return section
    assert evaluation.annotator is not None
    faces, points = evaluation.samples, evaluation.sample_points
    mean = points.mean(axis=0)
    middle = int(np.abs(points - mean).mean(axis=(1, 2)).argmin())  # the sample that is most like the mean face
    section.add("points.png", point_errors(faces[middle], points[middle], evaluation.points),
                f"Mean error of each point against {evaluation.annotator.title}, in percent of the inter-ocular "
                "distance.")  # fmt: skip
    return section


def _neighbours(evaluation: Evaluation) -> Section:
    section = Section("Memorised?", "scroll")
    found = evaluation.realism
    if found is None or evaluation.samples is None:
        return section
    order = found.neighbours.distance[: len(evaluation.samples)].argsort()[:SHOWN_NEIGHBOURS]
    pairs = np.concatenate([evaluation.samples[order], found.neighbour_faces[order]])
    section.add("neighbours.png", encode_png(contact_sheet(pairs, columns=len(order), pixels=PATH_PIXELS)),
                "Above the samples that are nearest to a training face, below that face.")  # fmt: skip
    return section


def _training(run: Run) -> Section:
    section = Section("Training")
    log, journal, family = run.log(), run.journal(), family_of(run)
    if len(log) > 1:
        panels = [panel for panel in family.panels if not panel.figures.keys().isdisjoint(log[-1])]
        readings = " ".join(filter(None, [family.reading, *(panel.reading for panel in panels)]))
        section.add(
            "training.png",
            training_curves(log, panels),
            f"Means over the steps between two lines of log.jsonl. {readings}".strip(),
        )
    judged = [line for line in journal if "frechet" in line]
    if len(judged) > 1:
        section.add("judged.png", judged_curves(judged, [line for line in journal if "diversity" in line]),
                    "Distances of samples to real faces while training (features: filters); dashed, those of "
                    "two halves of the real faces.")  # fmt: skip
    grids = sorted(run.samples.glob("step-*.png"))
    if grids:
        step = int(grids[-1].stem.removeprefix("step-"))
        section.add("newest.png", grids[-1].read_bytes(), f"Faces of fixed latents at step {step:,}.")
    return section


def _errors(evaluation: Evaluation) -> Section:
    section = Section("Errors", "two")
    figures = evaluation.figures
    curves = {}
    if "held_out" in figures:
        curves["L-Gen on held-out inverted faces"] = figures["held_out"]["curve"]
    if "self_consistency" in figures and evaluation.annotator is not None:
        curves[f"L-Gen against {evaluation.annotator.title} on samples"] = figures["self_consistency"]["curve"]
    if curves:
        section.add("errors.png", error_curves(curves), "Share of faces below an error.")
    if evaluation.latents is not None:
        section.add("psnr.png", psnr_histogram(evaluation.latents.psnr), "How near the inversions come.")
    return section
