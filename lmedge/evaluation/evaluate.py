"""The `evaluate` stage: metrics.json and the report."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmedge.config import EvaluateConfig, InvertConfig, from_json, require, to_json
from lmedge.errors import LmedgeError
from lmedge.evaluation import metrics
from lmedge.evaluation.realism import Realism, realism
from lmedge.evaluation.report import write_report
from lmedge.faces.records import FaceDataset
from lmedge.inversion.invert import inverter_of
from lmedge.inversion.latents import Latents, load_latents
from lmedge.judging.features import Extractor, extractor
from lmedge.landmarks import scheme_named
from lmedge.lgen.train import error_figures
from lmedge.progress import console, progress
from lmedge.run import Run
from lmedge.runtime import prior
from lmedge.samples import draw
from lmedge.storage import read_json, write_json

SHOWN_SAMPLES = 64
SHOWN_INVERSIONS = 16


@dataclass
class Evaluation:
    """Everything the report shows. Parts that the run does not have are None; `notes` says why."""

    run: Run
    figures: dict[str, Any] = field(default_factory=dict)
    lines: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    samples: NDArray[np.uint8] | None = None
    sample_points: NDArray[np.float32] | None = None
    inversions: tuple[NDArray[np.uint8], NDArray[np.uint8]] | None = None  # real, inverted
    inversion_points: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None
    mirror: metrics.MirrorPaths | None = None
    realism: Realism | None = None
    latents: Latents | None = None

    def add(self, name: str, value: Any, label: str, text: str) -> None:
        """Notes a figure for metrics.json, with the line that shows it."""
        self.figures[name] = value
        self.lines.append((label, text))


def evaluate(config: EvaluateConfig) -> Evaluation:
    """Measures what the run has; see EvaluateConfig. Raises LmedgeError for a run without a generator."""
    require("--samples", config.samples, 1)
    require("--mirror-pairs", config.mirror_pairs, 1, 64)
    run = Run.open(config.run)
    extract = extractor(config.features)
    generator = run.generator()
    result = Evaluation(run)
    try:
        result.latents = load_latents(run)
    except LmedgeError as error:
        result.notes.append(f"No inversion figures: {error}")
    lgen = run.lgen() if run.lgen_file.exists() else None
    if lgen is None:
        result.notes.append("No landmark figures: the run has no L-Gen.")

    size, latent = generator.output_shape[1], generator.input_shape[-1]
    z = prior(max(config.samples, SHOWN_SAMPLES), latent, config.seed + 1)
    faces = draw(generator, z)
    result.samples = faces[:SHOWN_SAMPLES]
    console.print("evaluate: samples drawn")
    _realism(config, result, faces, extract)
    if lgen is not None:
        result.sample_points = metrics.points_of(lgen, z[:SHOWN_SAMPLES], size)
        _landmark_figures(config, result, generator, lgen)
    if result.latents is not None:
        _inversion_figures(config, result, generator, lgen)
    result.figures["options"] = to_json(config)
    write_json(run.metrics_file, result.figures)
    run.record("evaluate", to_json(config))
    write_report(result)
    return result


def _realism(config: EvaluateConfig, result: Evaluation, faces: NDArray[np.uint8], extract: Extractor) -> None:
    """Samples against the faces that the generator was trained on."""
    try:
        dataset = FaceDataset(Path(result.run.stage("train-began")["dataset"]))
    except LmedgeError as error:
        result.notes.append(f"No real faces to compare with: {error}")
        return
    if dataset.size != faces.shape[1] or len(dataset) < 4:
        result.notes.append(
            f"No real faces to compare with: {dataset.path} holds {len(dataset)} of {dataset.size} pixels."
        )
        return
    result.realism = realism(faces, dataset, extract, config.seed)
    result.figures["realism"] = result.realism.figures()
    result.lines += result.realism.lines()


def _landmark_figures(config: EvaluateConfig, result: Evaluation, generator: Any, lgen: Any) -> None:
    record = read_json(result.run.lgen_metrics_file, "the record of `lmedge train-lgen`")
    held = record["held_out"]
    result.add("held_out", held, "L-Gen held-out NME", f"{held['nme']:.2%} on {held['faces']} inverted faces")
    result.add("mean_face_nme", record["mean_face_nme"], "  the mean face instead", f"{record['mean_face_nme']:.2%}")
    rate = held["failure_rate"]
    result.add("failure_rate", rate, "  failures (NME above 10 %)", f"{rate:.1%}")
    with progress("self-consistency", config.samples, "faces") as advance:
        found = metrics.self_consistency(
            generator, lgen, scheme_named(record["scheme"]), config.samples, config.seed, advance
        )
    result.add("face_found", 1 - found.missed, "Face Mesh finds a face on samples", f"{1 - found.missed:.1%}")
    if len(found.errors):
        figures = {**error_figures(found.errors), "mean_face_nme": found.mean_face}
        result.add("self_consistency", figures, "Self-consistency NME", f"{figures['nme']:.2%}, L-Gen(z) against "
                   f"Face Mesh on G(z), {len(found.errors)} fresh latents")  # fmt: skip
        result.lines.append(("  the mean face instead", f"{found.mean_face:.2%}"))


def _inversion_figures(config: EvaluateConfig, result: Evaluation, generator: Any, lgen: Any | None) -> None:
    latents = result.latents
    assert latents is not None
    low, middle, high = (float(p) for p in np.percentile(latents.psnr, (5, 50, 95)))
    result.add("inversion_psnr", {"faces": len(latents), "mean": float(latents.psnr.mean()), "p5": low, "p50": middle,
                                  "p95": high},
               "Inversion PSNR", f"median {middle:.1f} dB, 5 % below {low:.1f} dB, {len(latents)} faces")  # fmt: skip
    try:
        dataset = FaceDataset(latents.dataset)
    except LmedgeError as error:
        result.notes.append(f"No real faces beside their inversions: {error}")
        return
    random = np.random.default_rng(config.seed)
    shown = np.linspace(0, len(latents) - 1, min(SHOWN_INVERSIONS, len(latents))).round().astype(int)
    real = dataset.images(latents.index[shown])
    result.inversions = real, draw(generator, latents.z[shown])
    if lgen is None:
        return
    true = dataset.landmarks[latents.index[shown]]
    result.inversion_points = true, metrics.points_of(lgen, latents.z[shown], latents.size)
    # Faces that the generator can draw: a path between two faces that it cannot says nothing of L-Gen.
    good = np.argsort(-latents.psnr, kind="stable")[: max(config.mirror_pairs, len(latents) // 2)]
    chosen = random.choice(good, min(config.mirror_pairs, len(good)), replace=False)
    console.print(f"evaluate: {len(chosen)} mirror paths")
    options = from_json(InvertConfig, {**result.run.stage("invert"), "batch": len(chosen)})
    inverter = inverter_of(result.run, generator, dataset, options)
    result.mirror = metrics.mirror_paths(
        generator, lgen, latents, dataset.images(latents.index[chosen]), chosen, inverter
    )
    jumps = result.mirror.jumps
    worst = float((jumps.max(axis=1) / np.maximum(jumps.mean(axis=1), 1e-9)).max())
    figures = {
        "pairs": len(chosen),
        "mean_jump": float(jumps.mean()),
        "largest_jump": float(jumps.max()),
        "largest_over_mean": worst,
    }
    text = f"{worst:.2f} times its path's mean ({figures['mean_jump']:.2%} of the inter-ocular distance)"
    result.add("mirror_path", figures, "Mirror paths, largest landmark jump", text)
