"""The `evaluate` stage: metrics.json and the report."""

import dataclasses
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lmedge.annotators.registry import looking
from lmedge.errors import LmedgeError
from lmedge.evaluation import asked_attributes, metrics, paths
from lmedge.evaluation.evaluation import Evaluation
from lmedge.evaluation.options import EvaluateConfig
from lmedge.evaluation.realism import realism
from lmedge.evaluation.report import page_folder, write_report
from lmedge.faces.records import FaceDataset
from lmedge.gan.held_out import unseen
from lmedge.gan.options import TrainGanConfig
from lmedge.inversion.encoder import cached_encoder
from lmedge.inversion.focus import face_weights
from lmedge.inversion.invert import check_fits
from lmedge.inversion.inverter import Inverter
from lmedge.inversion.latents import load_latents, psnr
from lmedge.inversion.resolve import recorded
from lmedge.judging.features import Extractor, extractor
from lmedge.kept import keeps_run
from lmedge.keras_model import Generator, KerasFaceModel
from lmedge.landmarks import in_pixels
from lmedge.lgen.faces import split_of
from lmedge.lgen.figures import error_figures
from lmedge.lgen.options import TrainLgenConfig
from lmedge.options import to_json
from lmedge.owner import owning
from lmedge.place import elsewhere
from lmedge.progress import console, progress
from lmedge.run import Run
from lmedge.storage import json_bytes, write_json

SHOWN_SAMPLES = 64
SHOWN_INVERSIONS = 16
ASKED = "  what was asked for instead"  # in the latent, taken at its word
NO_LATENTS_SHIPPED = "No inversion figures: this run comes with lmedge, without latents; `lmedge invert` a copy of it."


@keeps_run
def evaluate(config: EvaluateConfig) -> Evaluation:
    """Measures what the run has; see EvaluateConfig. Raises LmedgeError for a run without a generator."""
    run = Run.open(config.run)
    page = page_folder(run, config.out)
    if config.out is not None:  # nothing is written into the run
        return _evaluate(config, run, page)
    with owning(run.path):
        return _evaluate(config, run, page)


def _evaluate(config: EvaluateConfig, run: Run, page: Path) -> Evaluation:
    extract = extractor(config.features)
    model = run.face_model() if run.lgen_file.exists() else None
    generator = model.generator if model else Generator(run.generator(), run.latent)
    result = Evaluation(run, page)
    try:
        result.latents = load_latents(run)
    except LmedgeError as error:
        result.notes.append(f"No inversion figures: {error}" if not run.shipped else NO_LATENTS_SHIPPED)
    if model is None:
        result.notes.append("No landmark figures: the run has no L-Gen.")

    z = generator.latent.draw(max(config.samples, SHOWN_SAMPLES), config.seed + 1)
    faces = generator.images(z)
    result.samples = faces[:SHOWN_SAMPLES]
    console.print("evaluate: samples drawn")
    _realism(config, result, faces, extract)
    if generator.latent.attributes:
        asked_attributes.measure(config, result, generator)
    if model is not None:
        result.sample_points = model.landmarks(z[:SHOWN_SAMPLES])
        _choose_annotator(result, model)
        _landmark_figures(config, result, model)
    if result.latents is not None:
        _inversion_figures(config, result, generator, model)
    if model is not None:
        if result.latents is not None:
            _fault_figures(result, model)
        _path_figures(config, result, model)
        if config.people is not None:
            _people_figures(config, result, model)
    options = {name: value for name, value in to_json(config).items() if name != "on"}  # which changes no figure
    result.figures |= {"notes": result.notes, "options": options}
    if config.out is None:
        write_json(run.metrics_file, result.figures)
        run.record("evaluate", to_json(config))
    write_report(result, {} if config.out is None else {run.metrics_file.name: json_bytes(result.figures)})
    return result


def _realism(config: EvaluateConfig, result: Evaluation, faces: NDArray[np.uint8], extract: Extractor) -> None:
    """Samples against the faces that the generator was trained on."""
    try:
        dataset = _that_was_used(Path(str(result.run.stage("train-gan", TrainGanConfig).get("dataset"))),
                                 result.run.config().get("dataset", {}).get("digest"))  # fmt: skip
    except LmedgeError as error:
        result.notes.append(f"No real faces to compare with: {error}")
        return
    if dataset.size != faces.shape[1] or len(dataset) < 4:
        result.notes.append(
            f"No real faces to compare with: {dataset.path} holds {len(dataset)} of {dataset.size} pixels."
        )
        return
    result.realism = realism(faces, dataset, extract, config.seed, unseen(result.run, dataset.groups))
    result.figures["realism"] = result.realism.figures()
    result.lines += result.realism.lines()


def _choose_annotator(result: Evaluation, model: KerasFaceModel) -> None:
    annotator, placed = looking(model.provenance, model.scheme)
    if placed == model.scheme:
        result.annotator = annotator
    else:
        result.notes.append(
            f"No figures of what an annotator sees on generated faces: {annotator.title} cannot place all points of "
            f"{model.scheme}."
        )


def _landmark_figures(config: EvaluateConfig, result: Evaluation, model: KerasFaceModel) -> None:
    record = result.run.lgen_metrics()
    held = record["held_out"]
    result.add("held_out", held, "L-Gen held-out NME", f"{held['nme']:.2%} on {held['faces']} inverted faces")
    result.add("mean_face_nme", record["mean_face_nme"], "  the mean face instead", f"{record['mean_face_nme']:.2%}")
    result.add("linear_nme", record["linear_nme"], "  a linear regression instead", f"{record['linear_nme']:.2%}")
    if "asked_nme" in record:
        result.add("asked_nme", record["asked_nme"], ASKED, f"{record['asked_nme']:.2%}")
    rate = held["failure_rate"]
    result.add("failure_rate", rate, "  failures (NME above 10 %)", f"{rate:.1%}")
    _self_consistency(config, result, model)


def _self_consistency(config: EvaluateConfig, result: Evaluation, model: KerasFaceModel) -> None:
    """L-Gen against an annotator on fresh faces."""
    annotator = result.annotator
    if annotator is None:
        return
    z = model.latent.draw(config.samples, config.seed)
    with progress("self-consistency", config.samples, "faces") as advance:
        found = metrics.self_consistency(model, annotator, z, advance, elsewhere(config.on))
    who = annotator.title
    result.add("face_found", 1 - found.missed if found else 0.0, f"{who} finds a face on samples",
               f"{1 - found.missed if found else 0:.1%}")  # fmt: skip
    if found is None:
        return
    result.points = found.points
    figures = {**error_figures(found.errors), **{k: v for k, v in vars(found).items() if k not in ("errors", "points")},
               "mean_face_nme": found.mean_face, "points": found.points.tolist()}  # fmt: skip
    result.add("self_consistency", figures, "Self-consistency NME", f"{figures['nme']:.2%}, L-Gen(z) against "
               f"{who} on G(z) and its mirror image, {len(found.errors)} fresh latents")  # fmt: skip
    result.lines += [
        (f"  against {who} on G(z) alone", f"{found.single:.2%}"),
        (f"  {who} against itself", f"{found.mirror:.2%} in a mirror, {found.shift:.2%} 2 pixels (of 64) further"),
        ("  the mean face instead", f"{found.mean_face:.2%}"),
    ]
    if found.asked is not None:
        result.lines.append((ASKED, f"{found.asked:.2%}"))
    if (own := result.run.lgen_metrics().get("generated")) is not None:
        result.lines.append(("  a linear regression instead", f"{own['linear_nme']:.2%} (held-out generated faces)"))
        result.lines.append(("  share of the landmarks' variance", f"{own['explained']:.3f}; linear regression "
                             f"{own['linear_explained']:.3f}"))  # fmt: skip
    if found.kept is not None:
        text = f"{found.kept:.2%}, {1 - found.kept / figures['nme']:.1%} lower"
        result.lines.append(("  of the most confident 80 %", text))
    result.lines += [(f"  {name}", _of_pose(part)) for name, part in found.poses.items()]


def _of_pose(part: dict[str, float]) -> str:
    return f"{part['nme']:.2%} ({part['faces']} faces)" if "nme" in part else f"{part['faces']} faces, too few to tell"


def _path_figures(config: EvaluateConfig, result: Evaluation, model: KerasFaceModel) -> None:
    """The paper's claim of continuity, in numbers."""
    result.random = paths.random_paths(model, model.latent.draw(2 * config.mirror_pairs, config.seed + 3))
    for name, label, walked in (("mirror_path", "Mirror paths", result.mirror),
                                ("random_path", "Random paths", result.random)):  # fmt: skip
        if walked is None:
            continue
        console.print(f"evaluate: {len(walked.z)} {label.lower()}")
        found = paths.continuity(walked, result.annotator, model.scheme)
        text = (f"landmarks travel {found.length:.2f} times the distance of their ends, largest jump "
                f"{found.largest_over_mean:.2f} times its path's mean")  # fmt: skip
        result.add(name, vars(found), label, text)
        if found.agreement is not None and result.annotator is not None:
            text = f"NME {found.agreement:.2%}, at the worst step {found.agreement_worst:.2%}"
            text += f"; a face at {found.found:.0%} of the steps"
            result.lines.append((f"  L-Gen against {result.annotator.title} along them", text))


def _inversion_figures(
    config: EvaluateConfig, result: Evaluation, generator: Generator, model: KerasFaceModel | None
) -> None:
    latents = result.latents
    assert latents is not None
    low, middle, high = (float(p) for p in np.percentile(latents.psnr, (5, 50, 95)))
    marked = float((~latents.fits).mean())
    result.add("inversion_psnr", {"faces": len(latents), "mean": float(latents.psnr.mean()), "p5": low, "p50": middle,
                                  "p95": high, "not_drawable": marked},
               "Inversion PSNR", f"median {middle:.1f} dB, 5 % below {low:.1f} dB, {len(latents)} faces")  # fmt: skip
    result.lines.append(("  that the generator cannot draw", f"{marked:.1%} (under half of the variance explained)"))
    try:
        dataset = _that_was_used(latents.dataset, latents.digest)
    except LmedgeError as error:
        result.notes.append(f"No real faces beside their inversions: {error}")
        return
    random = np.random.default_rng(config.seed)
    shown = np.linspace(0, len(latents) - 1, min(SHOWN_INVERSIONS, len(latents))).round().astype(int)
    real = dataset.images(latents.index[shown])
    result.inversions = real, generator.images(latents.z[shown])
    if model is None:
        return
    true = dataset.landmarks[latents.index[shown]]
    result.inversion_points = true, model.landmarks(latents.z[shown])
    # Faces that the generator can draw: a path between two faces that it cannot says nothing of L-Gen.
    good = np.argsort(-latents.psnr, kind="stable")[: max(config.mirror_pairs, len(latents) // 2)]
    chosen = random.choice(good, min(config.mirror_pairs, len(good)), replace=False)
    inverter = _inverter(result.run, generator, dataset, len(chosen))
    images = dataset.images(latents.index[chosen])
    result.mirror = paths.mirror_paths(model, latents, images, chosen, inverter)


def _that_was_used(path: Path, digest: str | None) -> FaceDataset:
    """The dataset at `path`. Raises LmedgeError where other faces lie there now."""
    dataset = FaceDataset(path)
    if digest not in (None, dataset.digest):
        raise LmedgeError(f"{path} holds other faces now than those that were used.")
    return dataset


def _inverter(run: Run, generator: Generator, dataset: FaceDataset, batch: int) -> Inverter:
    """The search that the run's latents come from. No encoder is trained for it: this only measures."""
    search = dataclasses.replace(recorded(run), batch=min(batch, 64))
    encoder = cached_encoder(run, generator.network) if search.start == "encoder" else None
    if search.start == "encoder" and encoder is None:
        search = dataclasses.replace(search, start="centre", rounds=max(2, search.rounds))
    weights = face_weights(dataset.landmarks, dataset.size, search.background)
    return Inverter(generator.network, generator.latent, search, weights, encoder)


def _fault_figures(result: Evaluation, model: KerasFaceModel) -> None:
    """Whose fault the error on held-out faces is."""
    latents, options = result.latents, result.run.stage("train-lgen", TrainLgenConfig)
    annotator = result.annotator
    if annotator is None:
        return
    assert latents is not None
    *_, held_out = split_of(
        result.run, latents.groups, options.get("held_out", TrainLgenConfig.held_out), options.get("seed", 0)
    )
    size = latents.size
    with progress("held-out faces", len(held_out), "faces") as advance:
        found = metrics.faults(model, latents.z[held_out], in_pixels(latents.landmarks[held_out], size, size),
                               annotator, advance)  # fmt: skip
    who = annotator.title
    if found is None:
        return
    result.add("faults", vars(found), "Held-out error, whose fault", f"{found.total:.2%} in all; {found.inversion:.2%} "
               f"{who} on the inversion against the photo, {found.reading:.2%} L-Gen against {who} on the "
               "inversion")  # fmt: skip
    result.lines += [(f"  {name}", _of_pose(part)) for name, part in found.poses.items()]


def _people_figures(config: EvaluateConfig, result: Evaluation, model: KerasFaceModel) -> None:
    """Against points that people placed."""
    assert config.people is not None
    dataset = FaceDataset(config.people)
    check_fits(result.run, model.generator.network, dataset)
    faces = dataset.images(np.arange(len(dataset)))
    inverter = _inverter(result.run, model.generator, dataset, len(dataset))
    # The search does not start from people's points, as it does elsewhere: they are what is measured against.
    with progress("invert photos of people", len(faces), "faces") as advance:
        z = inverter(faces.astype(np.float32) / 127.5 - 1, 0, advance)
    quality = psnr(model.generator.images(z).astype(np.float32) / 127.5 - 1, faces.astype(np.float32) / 127.5 - 1)
    who = "" if result.annotator is None else result.annotator.title
    console.print(f"evaluate: {who or 'L-Gen'} on photos and inversions")
    found = metrics.people(model, z, faces, dataset.landmarks, result.annotator, quality)
    if found is None:
        result.notes.append(f"No figures against people: {who} finds no face in {config.people}.")
        return
    result.add("people", vars(found), "L-Gen against people's points", f"NME {found.lgen:.2%} on {found.faces} photos "
               f"(inversions: median {found.psnr:.1f} dB)")  # fmt: skip
    style = f"L-Gen {found.lgen_style:.2%}"
    if found.annotator is not None:
        text = f"{found.annotator:.2%}; on their inversions {found.inverted:.2%}"
        result.lines.append((f"  {who} on the same photos", text))
        style += f", {who} {found.style:.2%}"
    result.lines.append(("  without the mean offset of each point", style))
    result.lines.append(("  the mean face instead", f"{found.mean_face:.2%}"))
