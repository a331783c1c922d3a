"""The `train-gan` stage: face dataset -> generator."""

import dataclasses
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from lmedge.errors import LmedgeError, Stopped, UsageError
from lmedge.executor import LOCAL
from lmedge.faces.records import FaceDataset
from lmedge.fetched import fetched
from lmedge.gan import checkpoint, devices
from lmedge.gan.data import face_batches
from lmedge.gan.families import family_named
from lmedge.gan.family import Family
from lmedge.gan.grids import Grids
from lmedge.gan.held_out import kept_out
from lmedge.gan.journal import Journal, memory_mib
from lmedge.gan.judge import Judge
from lmedge.gan.machines import train_on_cluster
from lmedge.gan.options import PRESETS, TrainGanConfig
from lmedge.gan.saver import Saver
from lmedge.gan.step import Step
from lmedge.gan.training import Callback, Training, steps_for, train
from lmedge.gan.watch import Watch
from lmedge.kept import keeping
from lmedge.latent import LatentSpec
from lmedge.options import to_json, written
from lmedge.owner import owning
from lmedge.pictures import SHEET_FACES
from lmedge.progress import console, progress
from lmedge.run import Run
from lmedge.versions import versions

# Options that may differ between the sittings of one run; every other one makes another experiment.
MAY_CHANGE = frozenset(("kimg", "dataset", "run", "checkpoint_every", "keep_checkpoints", "sample_every", "judge_every",
                        "log_every", "learning_rate", "on", "workers"))  # fmt: skip
LATENT = 64  # numbers, where none are asked for
BASE_BATCH = 16  # of the learning rates that families name


@dataclass(frozen=True)
class Trained:
    """Where the run stands, in thousands of images; images a second of this sitting."""

    run: Run
    kimg: float
    images_per_second: float


def resolve(config: TrainGanConfig) -> TrainGanConfig:
    """The options with everything filled in that depends on the preset and on the machine."""
    preset, family = PRESETS[config.preset], family_named(config.family)
    config = family.resolved(config)
    width = config.width or family.widths[config.preset]
    cards = len(devices.gpus())
    batch = config.batch or preset.batch_for(cards)
    rate = config.learning_rate
    return dataclasses.replace(
        config,
        width=width,
        batch=batch,
        latent=config.latent or LATENT,
        # Adam's rate goes with the root of the batch (Malladi et al., arXiv 2205.10287).
        learning_rate=family.rate * (batch / BASE_BATCH) ** 0.5 if rate is None else rate,
        precision=devices.resolve_precision(config.precision, width)[0],
    )


def picked(config: TrainGanConfig) -> list[tuple[str, str]]:
    """(what, value and why) of all that is chosen for this machine; for --dry-run."""
    resolved = resolve(config)
    assert resolved.width is not None
    precision, why = devices.resolve_precision(config.precision, resolved.width)
    size = "as asked" if config.batch else "the preset's for a GPU" if devices.gpus() else "the preset's for a CPU"
    base = family_named(config.family).rate
    rate = "as asked" if config.learning_rate else f"{base:g} times the root of batch / {BASE_BATCH}"
    far = [] if config.on == LOCAL else [("machines", f"nodes of {config.on}; each picks for itself, as this one here")]
    return [*far, *devices.describe(), ("precision", f"{precision}: {why}"), ("batch", f"{resolved.batch}: {size}"),
            ("learning rate", f"{resolved.learning_rate:.3g}: {rate}")]  # fmt: skip


def train_gan(config: TrainGanConfig) -> Trained:
    """Trains until `config.kimg`, from the newest checkpoint of the run if there is one, where `config.on` says.

    Raises UsageError for options that do not fit the dataset or the run, LmedgeError when the training was stopped,
    was lost, or needs more memory than there is.
    """
    family = family_named(config.family)
    if type(config) is not family.options:
        raise UsageError(f"--family {family.name} takes {family.options.__name__}, not {type(config).__name__}.")
    if config.workers and config.on == LOCAL:
        raise UsageError(f"--workers {config.workers} are nodes of a cluster; name it with --on, or leave them out.")
    asked, config = config, resolve(config)
    family.check(config)
    assert config.batch is not None
    dataset = FaceDataset(config.dataset)
    _check_dataset(config, dataset)
    if config.on != LOCAL:
        # Of a store: not the folder that the chief's node has it in.
        return dataclasses.replace(train_on_cluster(asked, train_gan), run=Run(config.run))
    dataset = family.faces(config, dataset)
    place = devices.strategy()
    chief, replicas = devices.is_chief(place), place.num_replicas_in_sync
    if config.batch % replicas:
        raise UsageError(
            f"--batch {config.batch} cannot be shared by {replicas} devices; take a multiple of {replicas}."
        )
    with keeping(config.run, alone=place.cluster_resolver is None) if chief else nullcontext():
        run = Run.create(config.run) if chief else Run(fetched(config.run, absent=True))
        if checkpoint.checkpoints(run.checkpoints):
            if asked.precision == "auto":  # a run keeps its numbers, wherever it goes on
                noted = run.stage("train-gan", family.options).get("precision", config.precision)
                config = dataclasses.replace(config, precision=noted)
            _same_experiment(run, config, dataset)
        with owning(run.path) if chief else nullcontext():
            return _train(asked, config, run, dataset, place)


def _train(
    asked: TrainGanConfig, config: TrainGanConfig, run: Run, dataset: FaceDataset, place: tf.distribute.Strategy
) -> Trained:
    """Goes on from the newest checkpoint. `config` is what was `asked`, resolved."""
    assert config.batch is not None and config.learning_rate is not None
    family, chief = family_named(config.family), devices.is_chief(place)
    found = checkpoint.checkpoints(run.checkpoints)
    dataset, judged = _parts(config, dataset)
    latent = run.latent if found else family.latent(config, dataset)
    step = _step(family, config, dataset, latent, place)
    schedule, health = family.schedule(config), family.health(config)
    training = Training(step.gan, step.average, config.batch)
    if found:
        state = checkpoint.restore(found[-1], step.variables())
        schedule.load(state["schedule"])
        health.load(state["health"])
        training.step = int(step.count.numpy())
        if asked.learning_rate not in (None, run.stage("train-gan", family.options).get("learning_rate")):
            training.rate = config.learning_rate
    start, last = training.step, steps_for(config.kimg, config.batch)
    if found and start >= last:
        console.print(f"{run} is at {training.kimg:g} kimg already; raise --kimg to go on.")
        return Trained(run, training.kimg, 0.0)
    if chief:
        about = {key: dataset.about.get(key) for key in ("size", "scheme", "count", "made_by", "provenance")}
        about["digest"] = dataset.digest
        run.record("train-gan", to_json(config), seed=config.seed, dataset=about, latent=step.spec.to_json(),
                   versions=versions("tensorflow", "keras", "numpy"))  # fmt: skip
    if start:
        console.print(f"continuing {run} from {training.kimg:g} kimg")
    saver = Saver(run, steps_for(config.checkpoint_every, config.batch), config.keep_checkpoints, step.variables(),
                  {"schedule": schedule, "health": health}, chief, found[-1] if found else None)  # fmt: skip
    # Every process decides alike; the chief alone writes.
    journal = Journal(run, steps_for(config.log_every, config.batch), chief)
    some = np.linspace(0, len(dataset) - 1, min(SHEET_FACES, len(dataset))).round().astype(np.int64)
    grids = Grids(run, steps_for(config.sample_every, config.batch), step.spec, lambda: dataset.images(some), chief)
    judge = [Judge(journal, steps_for(config.judge_every, config.batch), step.spec, judged)] if chief else []
    with progress("train-gan", last * config.batch, "img", start * config.batch, thousands=True) as advance:
        callbacks = [_Line(family, advance), schedule, journal, grids, Watch(health, journal, dataset), *judge, saver]
        try:
            train(training, step, _data(place, dataset, config, latent, start), last, callbacks)
        except tf.errors.ResourceExhaustedError:
            raise LmedgeError(
                f"out of memory at --batch {config.batch} and --width {config.width}; lower --batch (in a new --run), "
                "the checkpoints so far are whole."
            ) from None
        finally:
            saver.release()
    if training.lost:
        raise LmedgeError(_lost(training, saver))
    if training.stopped:
        raise Stopped(
            f"stopped at {training.kimg:g} of {config.kimg:g} kimg, saved; the same command goes on from there."
        )
    rates = [line["images_per_second"] for line in run.log() if line["step"] > start]
    return Trained(run, training.kimg, len(rates) / sum(1 / rate for rate in rates) if rates else 0.0)


def _parts(config: TrainGanConfig, dataset: FaceDataset) -> tuple[FaceDataset, FaceDataset]:
    """The faces to learn from, and those to compare with: where groups are held out, theirs. Raises UsageError where
    too few faces are left of either."""
    if not config.held_out:
        return dataset, dataset
    out = kept_out(dataset.groups, config.held_out)
    learnt, judged = dataset.part(np.flatnonzero(~out)), dataset.part(np.flatnonzero(out))
    assert config.batch is not None
    for part, least, what in ((learnt, config.batch, "to learn from"), (judged, 4, "held out")):
        if len(part) < least:
            share, count = f"--held-out {config.held_out:g}", f"{len(part)} faces"
            raise UsageError(f"{share} leaves {count} of {config.dataset} {what}, fewer than {least}.")
    return learnt, judged


class _Line(Callback):
    """Moves the line of progress."""

    def __init__(self, family: Family[Any], advance: Callable[..., None]):
        self.family, self.advance = family, advance

    def after_step(self, training: Training) -> None:
        self.advance(training.batch, f"{self.family.note(training.figures)}  {memory_mib():,.0f} MiB")


def _step(
    family: Family[Any], config: TrainGanConfig, dataset: FaceDataset, latent: LatentSpec, place: tf.distribute.Strategy
) -> Step:
    """The networks with fresh weights."""
    keras.utils.set_random_seed(config.seed)
    with place.scope():
        gan = family.build(config, dataset, latent)
    return Step(gan, latent, config, place, dataset.scheme.mirror)


def _lost(training: Training, saver: Saver) -> str:
    assert training.lost is not None
    good = saver.go_back(training)
    if good is None:
        return f"{training.lost.text}. No checkpoint was made before it."
    kimg = checkpoint.step_of(good) * training.batch / 1000
    return f"{training.lost.text}. {good.name} ({kimg:g} kimg) is from before it, and the run is back there."


def _data(
    place: tf.distribute.Strategy, dataset: FaceDataset, config: TrainGanConfig, latent: LatentSpec, start: int
) -> Any:
    assert config.batch is not None
    replicas = place.num_replicas_in_sync
    landmarks, attributes = family_named(config.family).landmarks, bool(latent.attributes)
    if replicas == 1:
        return face_batches(dataset, config.batch, config.seed, start, landmarks=landmarks, attributes=attributes)

    # Each process reads the parts of its own devices.
    def parts(context: tf.distribute.InputContext) -> tf.data.Dataset:
        own = replicas // context.num_input_pipelines
        first = context.input_pipeline_id * own
        mine = range(first, first + own)
        return face_batches(dataset, config.batch or 0, config.seed, start, replicas, mine, landmarks, attributes)

    return place.distribute_datasets_from_function(parts)


def _check_dataset(config: TrainGanConfig, dataset: FaceDataset) -> None:
    assert config.batch is not None
    preset = PRESETS[config.preset]
    if dataset.size != preset.size:
        fits = [name for name, p in PRESETS.items() if p.size == dataset.size]
        advice = f"take --preset {' or '.join(fits)}" if fits else "make the dataset in another size"
        raise UsageError(
            f"{config.dataset} has faces of {dataset.size} pixels and --preset {config.preset} is for "
            f"{preset.size}; {advice}."
        )
    if len(dataset) < config.batch:
        raise UsageError(f"{config.dataset} has {len(dataset)} faces, fewer than --batch {config.batch}.")


def _standard(config: TrainGanConfig, name: str, value: Any) -> Any:
    """What an option was in runs of before there was such a one: its default, where it does not depend on others."""
    default = getattr(type(config), name, None)
    return value if default is None else default


def _same_experiment(run: Run, config: TrainGanConfig, dataset: FaceDataset) -> None:
    """Refuses to go on with other options than the run was started with, and where its record does not say these."""
    family, noted = family_named(config.family), run.config()
    before, now = run.stage("train-gan", family.options), to_json(config)
    if not before or "dataset" not in noted:
        raise LmedgeError(
            f"{run.config_file} does not say how {run.checkpoints} were made; take a whole copy of it, or name another "
            "--run."
        )
    for name, value in now.items():
        if name not in MAY_CHANGE | family.may_change and before.get(name, _standard(config, name, value)) != value:
            option = written(name)
            raise UsageError(
                f"{option} is {value!r} and {run} was trained with {before.get(name)!r}; "
                "take that value or name another --run."
            )
    began = noted["dataset"]
    for name, then, given in (("count", began.get("count"), dataset.count), ("scheme", run.scheme, dataset.scheme)):
        if then != given:
            raise UsageError(
                f"{config.dataset} has {name} {given} and the run began with {then}; "
                "name that dataset or another --run."
            )
    if began.get("digest", dataset.digest) != dataset.digest:
        raise UsageError(
            f"{config.dataset} holds other faces than the dataset that {run} began with "
            f"({before.get('dataset')}, wherever that is now); name that one or another --run."
        )
