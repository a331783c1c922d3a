"""L-Gen from few labels: what was learnt from faces that people labelled labels thousands, and L-Gen learns from
these. What ships on a device is the usual network."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmedge.errors import LmedgeError, UsageError
from lmedge.keras_file import save_network
from lmedge.keras_model import KerasFaceModel
from lmedge.labels.coco_file import refuse_heap
from lmedge.labels.fit import Curve, Examples, Fit, Guess, curve, mean_known, more_labels
from lmedge.labels.folder import LabelFolder
from lmedge.labels.frame import Frame
from lmedge.landmarks import in_pixels, normalised
from lmedge.latent import Latents, LatentSpec
from lmedge.lgen.faces import Faces, Split
from lmedge.lgen.figures import LgenResult, error_figures, held_out_figures, linear, ranked
from lmedge.lgen.network import Fit as Training
from lmedge.lgen.network import confidence_steps, fit_confidence, fit_lgen
from lmedge.lgen.options import TrainLgenConfig
from lmedge.manifest import visible
from lmedge.options import to_json
from lmedge.owner import make_folder, owning
from lmedge.progress import console, progress
from lmedge.provenance import Provenance
from lmedge.run import Run
from lmedge.scheme import HAND, Scheme
from lmedge.seeds import Purpose
from lmedge.splits import split_by_group
from lmedge.storage import read_json, write_bytes, write_json

FEWEST_FACES = 5  # on which a point has to be placed
KEPT_OF_RUN = ("generator.keras",)
NAME_OF_LABELS = "labels"  # in config.json


@dataclass(frozen=True)
class Learnt:
    """What was learnt from `examples`, faces of latents `z` that are those of the folder at places `at`; the learning
    `curve`."""

    fit: Fit
    examples: Examples
    z: Latents
    at: NDArray[np.int64]
    curve: Curve


@dataclass(frozen=True)
class FewResult(LgenResult):
    """`learnt` from `labels`, beside what every training gives; `points` `[N, K, 2]` in pixels: where L-Gen has those
    of the labelled faces, as if each had not been labelled."""

    learnt: Learnt
    labels: LabelFolder
    points: NDArray[np.float64]

    @property
    def sentence(self) -> str:
        """What more labels would bring."""
        return more_labels(self.learnt.curve)


def train_few(config: TrainLgenConfig) -> FewResult:
    """Trains an L-Gen of the labels' scheme into the run `--out`; see TrainLgenConfig. Raises UsageError,
    LmedgeError."""
    if config.labels is None or config.out is None:
        raise UsageError("--labels and --out go together: an L-Gen of other points goes into a run of its own.")
    run, labels = Run.open(config.run), LabelFolder.open(config.labels)
    model = run.face_model()
    labels.refuse_other_model(model.version, str(config.run))
    learnt = learn(labels, model)
    out = _out(config.out, run, labels)
    with owning(out.path):
        return _train(config, model, labels, learnt, run, out)


def learn(labels: LabelFolder, model: KerasFaceModel) -> Learnt:
    """What the labels say of every face of the model. Raises LmedgeError where they say too little or cannot be
    meant."""
    known, placed = model.landmarks(labels.z), labels.placed
    for face in np.flatnonzero(labels.complete).tolist():
        refuse_heap(labels.points[face], placed[face], f"{labels.image_file(face)}, as labelled,")
    all_of_them = Examples(known, labels.points, placed, labels.scheme)
    counts = placed.sum(axis=0)
    for name, point, count in zip(labels.scheme.names, labels.scheme.points, counts.tolist(), strict=True):
        if count < FEWEST_FACES and not (count == 0 and point in model.scheme.places):
            raise LmedgeError(
                f"{labels.path} has {name} on {count} faces; go on with `lmedge label` until it is on {FEWEST_FACES}."
            )
    examples = all_of_them.begun
    if not len(examples):
        raise LmedgeError(f"{labels.path} has no point on any face; go on with `lmedge label`.")
    part = len(examples) - int(labels.complete.sum())
    if part:
        console.print(f"{part} of {len(examples)} faces are labelled in part, and teach that part")
    frame = Frame.of(model)
    fit = Fit(examples, frame, model.scheme)
    at = np.flatnonzero(placed.any(axis=1))
    return Learnt(fit, examples, labels.z[at], at, curve(examples, frame, model.scheme))


def _out(path: Path, run: Run, labels: LabelFolder) -> Run:
    """The run that the new L-Gen goes into: made of the generator of `run` and these labels, or made so before. Raises
    UsageError for another one."""
    out = Run(path)
    out.refuse_shipped()
    generator = run.generator_file.read_bytes()
    if out.config_file.exists() or (path.is_dir() and visible(path)):
        same = out.generator_file.exists() and out.generator_file.read_bytes() == generator
        if out.config_file.exists():
            about = out.config()
            same = same and bool(about["stages"].get("train-lgen", {}).get("labels"))
            if same and about.get(NAME_OF_LABELS, labels.name) != labels.name:
                raise UsageError(f"--out {path} was made of other labels than {labels.path}; name another folder.")
        else:  # that was killed, and goes on
            same = same and {entry.name for entry in visible(path)} <= {
                file.name for file in (*_files(out), out.report)
            }
        if not same:
            raise UsageError(
                f"--out {path} is not what `lmedge train-lgen --labels` made of this generator; name another folder."
            )
    make_folder(path, Path(f"--out {path}"))
    return out


def _train(
    config: TrainLgenConfig, model: KerasFaceModel, labels: LabelFolder, learnt: Learnt, run: Run, out: Run
) -> FewResult:
    fit, latent = Training.of(config), without_shapes(model.latent)
    z = latent.draw(config.generated, config.seed, purpose=Purpose.GENERATED)
    known = model.landmarks(z)
    guess = learnt.fit(known)
    size = model.width
    faces = Faces(z, normalised(guess.points.astype(np.float32), size, size), size, labels.scheme)
    split = Split(faces, *split_by_group(np.arange(len(z)).astype(str), config.held_out, config.seed))
    training = split.faces[split.training]

    def validate(network: Any) -> float:
        return float(split.faces[split.validation].errors(network).mean())

    with progress("train-lgen", fit.steps + 2 * confidence_steps(fit), "steps") as advance:
        network, step = fit_lgen(fit, training, advance, validate, fit.steps)
        doubt = expected_errors(guess, labels.scheme, _taken_over(run, known, model.scheme))[split.training]
        of_face = fit_confidence(fit, latent, training, doubt.mean(axis=1), advance)
        of_points = fit_confidence(fit, latent, training, doubt, advance)
    points = _left_out(network, learnt, size)
    usual = learnt.fit(learnt.examples.known).points
    off = learnt.examples.errors(points)
    provenance = Provenance(HAND, "", dict(model.provenance.crop), model.provenance.licence)
    metrics: dict[str, Any] = {
        "held_out": error_figures(mean_known(off, axis=1).astype(np.float32)),
        "mean_face_nme": float(mean_known(learnt.examples.errors(_mean_face(learnt), usual))),
        "linear_nme": float(mean_known(learnt.examples.errors(_left_out(linear(training), learnt, size)))),
        "faces": {"training": len(split.training), "validation": len(split.validation), "held_out": len(off)},
        "step": step,
        "data": "labels",
        "provenance": provenance.to_json(),
        "generated": held_out_figures(split, network, training, latent),
        "point_confidence": ranked(off, np.asarray(of_points(learnt.z, training=False))),
        "labels": {"faces": len(off), "curve": [list(each) for each in learnt.curve],
                   "points": dict(zip(labels.scheme.names, _by_point(off), strict=True))},
    }  # fmt: skip
    about = _about(config, run, labels, latent, provenance)
    out.config_file.unlink(missing_ok=True)  # until all is there it is no run: half of it would be another one's
    for name in KEPT_OF_RUN:
        write_bytes(out.path / name, (run.path / name).read_bytes())
    save_network(network, out.lgen_file)
    save_network(of_face, out.confidence_file)
    save_network(of_points, out.point_confidence_file)
    write_json(out.lgen_metrics_file, metrics)
    write_json(out.config_file, about)
    return FewResult(out, metrics, learnt, labels, points)


def expected_errors(guess: Guess, scheme: Scheme, otherwise: NDArray[np.float64]) -> NDArray[np.float32]:
    """By how much each point of `guess` is expected to be off, `[N, K]`, in distances of the two reference points of
    its face; `otherwise` `[N]` pixels where the guess does not know."""
    first, second = scheme.reference
    apart = np.linalg.norm(guess.points[:, first] - guess.points[:, second], axis=-1)
    off = np.where(np.isfinite(guess.deviation), guess.deviation, otherwise[:, None])
    return (off / np.maximum(apart, 1e-6)[:, None]).astype(np.float32)


def _taken_over(run: Run, known: NDArray[np.float32], scheme: Scheme) -> NDArray[np.float64]:
    """By how many pixels the `known` landmarks `[N, L, 2]` are usually off, `[N]`: points that nobody has labelled are
    taken over from these."""
    first, second = scheme.reference
    return run.lgen_metrics()["held_out"]["nme"] * np.linalg.norm(known[:, first] - known[:, second], axis=-1)


def without_shapes(latent: LatentSpec) -> LatentSpec:
    """The same draws, of latents that ask for no landmarks: what they could ask for are other ones than the labels'."""
    return LatentSpec(tuple(replace(block, shapes=None) for block in latent.blocks))


def _left_out(network: Any, learnt: Learnt, size: int) -> NDArray[np.float64]:
    """Where a network of latents puts the points of the labelled faces `[N, K, 2]`, in pixels, as if each had not been
    labelled: the guess then, and how far the network is from the guess otherwise."""
    drawn = in_pixels(np.asarray(network(learnt.z, training=False)), size, size)
    return learnt.fit.left_out.points + drawn - learnt.fit(learnt.examples.known).points


def _mean_face(learnt: Learnt) -> NDArray[np.float64]:
    """The mean of what people placed, for every face."""
    placed = np.where(learnt.examples.placed[..., None], learnt.examples.points, np.nan)
    return np.broadcast_to(mean_known(placed, axis=0), placed.shape)


def _by_point(off: NDArray[np.float64]) -> list[float | None]:
    return [float(error) if np.isfinite(error) else None for error in mean_known(off, axis=0)]


def _files(out: Run) -> list[Path]:
    """What is written before config.json."""
    networks = [out.lgen_file, out.confidence_file, out.point_confidence_file]
    return [*(out.path / name for name in KEPT_OF_RUN), *networks, out.lgen_metrics_file]


def _about(
    config: TrainLgenConfig, run: Run, labels: LabelFolder, latent: LatentSpec, provenance: Provenance
) -> dict[str, Any]:
    """config.json of the new run."""
    about = read_json(run.config_file, "a run")
    stages = {"train-gan": about["stages"].get("train-gan", {}), "train-lgen": to_json(config)}
    dataset = {**about.get("dataset", {}), "scheme": labels.scheme.to_json(), "provenance": provenance.to_json()}
    named = {NAME_OF_LABELS: labels.name} if labels.name else {}
    return {**about, "stages": stages, "dataset": dataset, "latent": latent.to_json(), **named}
