"""The `train-lgen` stage: L-Gen, how sure it is, and its error on held-out faces."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmedge.annotators.registry import looking
from lmedge.errors import UsageError
from lmedge.executor import Executor
from lmedge.inversion.latents import Latents, load_latents, refuse_other
from lmedge.keras_file import save_network
from lmedge.latent import LatentSpec
from lmedge.lgen.faces import Faces, Split, joined, split_by_group, split_of
from lmedge.lgen.generated import VIEWS, generated_faces, refuse_untrained
from lmedge.lgen.mixing import Style, style_of
from lmedge.lgen.network import Fit, confidence_steps, fit_confidence, fit_lgen
from lmedge.lgen.options import TrainLgenConfig
from lmedge.options import to_json
from lmedge.owner import owning
from lmedge.progress import console, progress
from lmedge.run import Run
from lmedge.storage import write_json

FAILURE = 0.1  # NME above which a face counts as failed, as in the 300-W challenge
CURVE_POINTS = 101  # of the cumulative error curve, from 0 to twice the failure threshold
FOLDS = 3  # trainings whose errors on the faces that each left out teach the confidence
KEPT = 0.8  # share of the faces with the highest confidence, whose error is reported


@dataclass(frozen=True)
class LgenResult:
    """`metrics` as written to RUN/lgen.json."""

    run: Run
    metrics: dict[str, Any]


def error_figures(errors: NDArray[np.float32]) -> dict[str, Any]:
    """Mean, median, failure rate at 0.1, and the cumulative error curve of NMEs `[N]`."""
    at = np.linspace(0, 2 * FAILURE, CURVE_POINTS)
    return {
        "faces": len(errors),
        "nme": float(errors.mean()),
        "nme_median": float(np.median(errors)),
        "failure_rate": float((errors > FAILURE).mean()),
        "curve": {"nme": at.tolist(), "share": [float((errors <= x).mean()) for x in at]},
    }


def explained_share(predicted: NDArray[np.float32], true: NDArray[np.float32]) -> float:
    """Share of the variance of landmarks `[N, K, 2]` around their mean face that a prediction has; 0 where they do not
    vary, as those of one face."""
    variance = np.square(true - true.mean(axis=0)).sum()
    return float(1 - np.square(predicted - true).sum() / variance) if variance else 0.0


def linear(faces: Faces) -> Callable[..., NDArray[np.float32]]:
    """The linear regression from z to landmarks, least squares with an intercept: what a network must beat."""
    with_one = np.column_stack([faces.z, np.ones(len(faces))])
    weights = np.linalg.lstsq(with_one, faces.landmarks.reshape(len(faces), -1), rcond=None)[0]

    def predict(z: NDArray[np.float32], training: bool = False) -> NDArray[np.float32]:
        flat = np.column_stack([z, np.ones(len(z))]) @ weights
        return flat.reshape(len(z), -1, 2).astype(np.float32)

    return predict


def train_lgen(config: TrainLgenConfig, executor: Executor | None = None) -> LgenResult:
    """Trains L-Gen on what the run has; see TrainLgenConfig. Whoever looks at generated faces does in the workers of
    `executor`, or in processes of this machine. Raises UsageError, LmedgeError."""
    _check(config)
    run = Run.open(config.run)
    run.refuse_shipped()
    with owning(run.path):
        return _train(config, run, executor)


def _train(config: TrainLgenConfig, run: Run, executor: Executor | None) -> LgenResult:
    latents = load_latents(run)
    refuse_other(run, latents.provenance, str(run.latents))
    generated = 0 if config.data == "inverted" else config.generated
    sets, style = sets_of(run, latents, config.held_out, config.seed, generated, config.data == "both", executor)
    fit, provenance = fit_of(config), latents.provenance
    if config.data == "generated":
        seer, _ = looking(provenance, latents.scheme)
        provenance = seer.provenance(dict(provenance.crop), provenance.licence)
    used = [part for name, part in sets.items() if config.data in (name, "both")]
    learnt = joined([part.faces[part.training] for part in used])

    def validate(network: Any) -> float:
        return float(np.mean([part.faces[part.validation].errors(network).mean() for part in used]))

    # The faces that a device will draw are drawn so: where there are generated ones, the confidence is theirs.
    own = sets.get("generated", sets["inverted"])
    total = (1 + FOLDS + config.all) * fit.steps + confidence_steps(fit)
    latent = run.latent
    with progress("train-lgen", total, "steps") as advance:
        network, step = fit_lgen(fit, learnt, advance, validate, fit.steps)
        metrics: dict[str, Any] = {
            **_held_out(sets["inverted"], network, learnt, latent),
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
            metrics["generated"] = _held_out(sets["generated"], network, learnt, latent)
        confidence = _confidence(fit, latent, own, used, advance)
        metrics["confidence"] = kept_figures(confidence, own.faces[own.held_out], network)
        if config.all:
            network, _ = fit_lgen(fit, joined([part.faces for part in used]), advance, None, step)
            advance(fit.steps - step)
    save_network(network, run.lgen_file)
    save_network(confidence, run.confidence_file)
    write_json(run.lgen_metrics_file, metrics)
    run.record("train-lgen", to_json(config))
    return LgenResult(run, metrics)


def _check(config: TrainLgenConfig) -> None:
    if not config.hidden:
        raise UsageError("--hidden must be one or more numbers, not none.")


def fit_of(config: TrainLgenConfig) -> Fit:
    """How L-Gen is trained with the options of `train-lgen`."""
    return Fit(config.hidden, config.steps, config.batch, config.learning_rate, config.dropout, config.seed)


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


def _confidence(fit: Fit, latent: LatentSpec, own: Split, used: list[Split], advance: Callable[..., None]) -> Any:
    """Learnt from the errors that networks make on faces of `own` which they were not trained on."""
    errors = np.zeros(len(own.faces), np.float32)
    order = np.random.default_rng(fit.seed).permutation(own.training)
    parts = np.array_split(order, FOLDS)
    others = [part.faces[part.training] for part in used if part is not own]
    for left_out in parts:
        rest = np.setdiff1d(order, left_out)
        network, _ = fit_lgen(fit, joined([own.faces[rest], *others]), advance, None, fit.steps)
        errors[left_out] = own.faces[left_out].errors(network)
    return fit_confidence(fit, latent, own.faces[own.training], errors[own.training], advance)


def most_confident(sure: NDArray[np.float32]) -> NDArray[np.int64]:
    """Indices of the `KEPT` share of faces with the highest confidence `[N]`."""
    return np.argsort(-sure, kind="stable")[: max(1, round(KEPT * len(sure)))]


def kept_figures(confidence: Any, faces: Faces, network: Any) -> dict[str, float]:
    """Does the confidence rank errors? Mean NME of the faces, and of the most confident ones."""
    errors, sure = faces.errors(network), np.asarray(confidence(faces.z, training=False))[:, 0]
    kept = most_confident(sure)
    best = np.sort(errors)[: len(kept)]
    return {"kept": KEPT, "nme": float(errors.mean()), "nme_kept": float(errors[kept].mean()),
            "nme_kept_at_best": float(best.mean())}  # fmt: skip


def _held_out(part: Split, network: Any, learnt: Faces, latent: LatentSpec) -> dict[str, Any]:
    """Errors on held-out faces, and those of simpler ways to say where the landmarks are."""
    faces = part.faces[part.held_out]
    mean_face = np.broadcast_to(learnt.landmarks.mean(axis=0), faces.landmarks.shape)
    straight, asked = linear(learnt)(faces.z), latent.asked(faces.z)
    return {
        "held_out": error_figures(faces.errors(network)),
        "mean_face_nme": float(faces.nme(mean_face).mean()),
        "linear_nme": float(faces.nme(straight).mean()),
        "explained": explained_share(np.asarray(network(faces.z, training=False)), faces.landmarks),
        "linear_explained": explained_share(straight, faces.landmarks),
        **({} if asked is None else {"asked_nme": float(faces.nme(asked).mean())}),
    }
