"""The `train-lgen` stage: L-Gen, how sure it is, and its error on held-out faces."""

from collections.abc import Callable
from typing import Any

import numpy as np

from lmedge.annotators.registry import looking
from lmedge.errors import UsageError
from lmedge.executor import Executor
from lmedge.inversion.latents import Latents, load_latents, refuse_other
from lmedge.kept import keeps_run
from lmedge.keras_file import save_network
from lmedge.latent import LatentSpec
from lmedge.lgen.faces import Faces, Split, joined, split_of
from lmedge.lgen.few import train_few
from lmedge.lgen.figures import LgenResult, held_out_figures, kept_figures, quarter_figures
from lmedge.lgen.generated import VIEWS, generated_faces, refuse_untrained
from lmedge.lgen.mixing import Style, style_of
from lmedge.lgen.network import Fit, confidence_steps, fit_confidence, fit_lgen
from lmedge.lgen.options import TrainLgenConfig
from lmedge.options import to_json
from lmedge.owner import owning
from lmedge.place import elsewhere
from lmedge.progress import console, progress
from lmedge.run import Run
from lmedge.splits import split_by_group
from lmedge.storage import write_json

FOLDS = 3  # trainings whose errors on the faces that each left out teach the confidence


@keeps_run
def train_lgen(config: TrainLgenConfig, executor: Executor | None = None) -> LgenResult:
    """Trains L-Gen on what the run has; see TrainLgenConfig. Whoever looks at generated faces does in the workers of
    `executor`, or where `--on` says. Raises UsageError, LmedgeError."""
    _check(config)
    if config.labels is not None:
        return train_few(config)
    run = Run.open(config.run)
    run.refuse_shipped()
    with owning(run.path):
        return _train(config, run, executor or elsewhere(config.on))


def _train(config: TrainLgenConfig, run: Run, executor: Executor | None) -> LgenResult:
    latents = load_latents(run)
    refuse_other(run, latents.provenance, str(run.latents))
    generated = 0 if config.data == "inverted" else config.generated
    sets, style = sets_of(run, latents, config.held_out, config.seed, generated, config.data == "both", executor)
    fit, provenance = Fit.of(config), latents.provenance
    if config.data == "generated":
        seer, _ = looking(provenance, latents.scheme)
        provenance = seer.provenance(dict(provenance.crop), provenance.licence)
    used = [part for name, part in sets.items() if config.data in (name, "both")]
    learnt = joined([part.faces[part.training] for part in used])

    def validate(network: Any) -> float:
        return float(np.mean([part.faces[part.validation].errors(network).mean() for part in used]))

    # The faces that a device will draw are drawn so: where there are generated ones, the confidence is theirs.
    own = sets.get("generated", sets["inverted"])
    total = (1 + FOLDS + config.all) * fit.steps + 2 * confidence_steps(fit)
    latent = run.latent
    with progress("train-lgen", total, "steps") as advance:
        network, step = fit_lgen(fit, learnt, advance, validate, fit.steps)
        metrics: dict[str, Any] = {
            **held_out_figures(sets["inverted"], network, learnt, latent),
            "faces": {"training": len(learnt), "validation": sum(len(part.validation) for part in used),
                      "held_out": len(sets["inverted"].held_out)},
            "groups": len(np.unique(latents.groups)),
            "step": step,
            "data": config.data,
            "refit_on_all": config.all,
            "provenance": provenance.to_json(),
            **({"fitted": style.figures()} if style else {}),
        }  # fmt: skip
        if "generated" in sets:
            metrics["generated"] = held_out_figures(sets["generated"], network, learnt, latent)
        confidence, of_points = _confidences(fit, latent, own, used, advance)
        metrics["confidence"] = kept_figures(confidence, own.faces[own.held_out], network)
        metrics["point_confidence"] = quarter_figures(of_points, own.faces[own.held_out], network)
        if config.all:
            network, _ = fit_lgen(fit, joined([part.faces for part in used]), advance, None, step)
            advance(fit.steps - step)
    save_network(network, run.lgen_file)
    save_network(confidence, run.confidence_file)
    save_network(of_points, run.point_confidence_file)
    write_json(run.lgen_metrics_file, metrics)
    run.record("train-lgen", to_json(config))
    return LgenResult(run, metrics)


def _check(config: TrainLgenConfig) -> None:
    if not config.hidden:
        raise UsageError("--hidden must be one or more numbers, not none.")
    if (config.labels is None) != (config.out is None):
        raise UsageError("--labels and --out go together: an L-Gen of other points goes into a run of its own.")


def sets_of(
    run: Run, latents: Latents, held_out: float, seed: int, generated: int, mixed: bool = True,
    executor: Executor | None = None,
) -> tuple[dict[str, Split], Style | None]:  # fmt: skip
    """The faces of the run by where they come from, each split by group, of which a share `held_out` is: "inverted"
    and, unless `generated`, the number of faces to draw, is 0, "generated". Faces that the generator cannot draw are
    held out as others are, but nothing is learnt from them, unless they are most. Where both are learnt from (`mixed`)
    and two annotators saw them, landmarks of generated faces are moved to where the photos have theirs, and it is said
    how. Raises UsageError for too few groups, and for landmarks that cannot be moved so or that nobody sees;
    LmedgeError, before many are looked at, for a generator that is hardly trained."""
    faces = Faces(latents.z, latents.landmarks, latents.size, latents.scheme)
    training, validation, last = split_of(run, latents.groups, held_out, seed)
    fits = training[latents.fits[training]]
    if len(fits) < len(training) / 2:
        console.print(
            f"the generator can draw {len(fits)} of the {len(training)} faces to learn from (half of their variance or "
            "more); L-Gen learns from all of them, and better after a longer train-gan"
        )
        fits = training
    sets, style = {"inverted": Split(faces, fits, validation, last)}, None
    if generated:
        annotator, placed = looking(latents.provenance, latents.scheme)
        if placed != latents.scheme:
            raise UsageError(
                f"{annotator.title} cannot place all points of {latents.scheme} on generated faces; take --data "
                "inverted."
            )
        refuse_untrained(run, annotator, latents.scheme, generated, seed)
        if mixed and annotator.name != latents.provenance.annotator:
            style = style_of(latents, training, annotator, VIEWS, executor)
        drawn = generated_faces(run, annotator, latents.scheme, generated, seed, executor)
        drawn = drawn if style is None else drawn.moved(style.moved)
        names = np.arange(len(drawn)).astype(str)  # every face is a group
        sets["generated"] = Split(drawn, *split_by_group(names, held_out, seed))
    return sets, style


def _confidences(
    fit: Fit, latent: LatentSpec, own: Split, used: list[Split], advance: Callable[..., None]
) -> tuple[Any, Any]:
    """Those of the face and of its points, learnt from the errors that networks make on faces of `own` which they were
    not trained on."""
    errors = np.zeros(own.faces.landmarks.shape[:2], np.float32)
    order = np.random.default_rng(fit.seed).permutation(own.training)
    parts = np.array_split(order, FOLDS)
    others = [part.faces[part.training] for part in used if part is not own]
    for left_out in parts:
        rest = np.setdiff1d(order, left_out)
        network, _ = fit_lgen(fit, joined([own.faces[rest], *others]), advance, None, fit.steps)
        errors[left_out] = own.faces[left_out].point_errors(network)
    learnt, errors = own.faces[own.training], errors[own.training]
    of_face = fit_confidence(fit, latent, learnt, errors.mean(axis=1), advance)
    return of_face, fit_confidence(fit, latent, learnt, errors, advance)
