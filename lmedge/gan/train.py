"""The `train-gan` stage: face dataset -> generator."""

import dataclasses
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from lmedge.bounds import require
from lmedge.errors import LmedgeError, Stopped, UsageError
from lmedge.faces.records import FaceDataset
from lmedge.gan import checkpoint, devices
from lmedge.gan.began import Began
from lmedge.gan.callbacks import SHOWN_FACES, Checkpoints, Counter, Journal, Pictures, Plateau
from lmedge.gan.data import image_batches
from lmedge.gan.health import Health
from lmedge.gan.options import PRESETS, TrainGanConfig
from lmedge.gan.watch import Judge, Watch
from lmedge.latent import LatentSpec
from lmedge.options import to_json
from lmedge.owner import owning
from lmedge.progress import console, progress
from lmedge.run import Run
from lmedge.versions import versions

# Options that may differ between the sittings of one run; every other one makes another experiment.
MAY_CHANGE = frozenset(("kimg", "dataset", "run", "checkpoint_every", "keep_checkpoints", "sample_every", "judge_every",
                        "log_every", "learning_rate", "learning_rate_floor", "patience"))  # fmt: skip
BASE_BATCH, BASE_RATE = 16, 1e-4  # a learning rate that was tried with its batch


@dataclass(frozen=True)
class Trained:
    """Where the run stands, in thousands of images; images a second of this sitting."""

    run: Run
    kimg: float
    images_per_second: float


def resolve(config: TrainGanConfig) -> TrainGanConfig:
    """The options with everything filled in that depends on the preset and on the machine."""
    preset = PRESETS[config.preset]
    width = config.width or preset.width
    cards = len(devices.gpus())
    batch = config.batch or (preset.gpu_batch * cards if cards else preset.batch)
    rate = config.learning_rate
    return dataclasses.replace(
        config,
        width=width,
        batch=batch,
        # Adam's rate goes with the root of the batch (Malladi et al., arXiv 2205.10287).
        learning_rate=BASE_RATE * (batch / BASE_BATCH) ** 0.5 if rate is None else rate,
        precision=devices.resolve_precision(config.precision, width)[0],
    )


def picked(config: TrainGanConfig) -> list[tuple[str, str]]:
    """(what, value and why) of all that is chosen for this machine; for --dry-run."""
    resolved = resolve(config)
    assert resolved.width is not None
    precision, why = devices.resolve_precision(config.precision, resolved.width)
    size = "as asked" if config.batch else "the preset's for a GPU" if devices.gpus() else "the preset's for a CPU"
    rate = "as asked" if config.learning_rate else f"{BASE_RATE:g} times the root of batch / {BASE_BATCH}"
    return [*devices.describe(), ("precision", f"{precision}: {why}"), ("batch", f"{resolved.batch}: {size}"),
            ("learning rate", f"{resolved.learning_rate:.3g}: {rate}")]  # fmt: skip


def train_gan(config: TrainGanConfig) -> Trained:
    """Trains until `config.kimg`, from the newest checkpoint of the run if there is one.

    Raises UsageError for options that do not fit the dataset or the run, LmedgeError when the training was stopped,
    was lost, or needs more memory than there is.
    """
    asked, config = config, resolve(config)
    _check(config)
    assert config.batch is not None
    dataset = FaceDataset(config.dataset)
    _check_dataset(config, dataset)
    place = devices.strategy()
    chief, replicas = devices.is_chief(place), place.num_replicas_in_sync
    if config.batch % replicas:
        raise UsageError(
            f"--batch {config.batch} cannot be shared by {replicas} devices; take a multiple of {replicas}."
        )
    run = Run.create(config.run) if chief else Run(config.run)
    if checkpoint.checkpoints(run.checkpoints):
        _same_experiment(run, config, dataset)
    with owning(run.path) if chief else nullcontext():
        return _train(asked, config, run, dataset, place)


def _train(
    asked: TrainGanConfig, config: TrainGanConfig, run: Run, dataset: FaceDataset, place: tf.distribute.Strategy
) -> Trained:
    """Goes on from the newest checkpoint. `config` is what was `asked`, resolved."""
    assert config.batch is not None
    chief = devices.is_chief(place)
    found = checkpoint.checkpoints(run.checkpoints)
    model = _model(config, dataset.size, place)
    plateau = Plateau(config.learning_rate_floor, _steps(config, config.patience))
    health = Health(config.patience, config.learning_rate_floor)
    if found:
        state = checkpoint.restore(found[-1], model)
        plateau.load(state["plateau"])
        health.load(state["health"])
        if asked.learning_rate not in (None, run.stage("train-gan", TrainGanConfig).get("learning_rate")):
            for optimizer in (model.g_optimizer, model.d_optimizer):
                optimizer.learning_rate.assign(config.learning_rate)
    start, last = int(model.step.numpy()), _steps(config, config.kimg)
    if found and start >= last:
        console.print(f"{run.path} is at {_kimg(config, start):g} kimg already; raise --kimg to go on.")
        return Trained(run, _kimg(config, start), 0.0)
    if chief:
        about = {key: dataset.about.get(key) for key in ("size", "scheme", "count", "made_by", "provenance")}
        about["digest"] = dataset.digest
        run.record("train-gan", to_json(config), seed=config.seed, dataset=about,
                   latent=LatentSpec.uniform(config.latent).to_json(),
                   versions=versions("tensorflow", "keras", "numpy"))  # fmt: skip
    if start:
        console.print(f"continuing {run.path} from {_kimg(config, start):g} kimg")
    saver, watch, callbacks = _callbacks(config, run, dataset, plateau, health, chief)
    saver.newest = found[-1] if found else None
    data = _data(place, dataset, config, start)
    with progress("train-gan", last * config.batch, "img", start * config.batch, thousands=True) as advance:
        counter = Counter(start, config.batch, advance)
        try:
            model.fit(data, epochs=1, steps_per_epoch=last - start, callbacks=[counter, *callbacks], verbose=0,
                      shuffle=False)  # fmt: skip
        except tf.errors.ResourceExhaustedError:
            raise LmedgeError(
                f"out of memory at --batch {config.batch} and --width {config.width}; lower --batch (in a new --run), "
                "the checkpoints so far are whole."
            ) from None
        finally:
            saver.release()
    if watch.lost:
        raise LmedgeError(_lost(watch.lost.text, saver, config))
    kimg = _kimg(config, model.done)
    if saver.stopped:
        raise Stopped(f"stopped at {kimg:g} of {config.kimg:g} kimg, saved; the same command goes on from there.")
    rates = [line["images_per_second"] for line in run.log() if line["step"] > start]
    return Trained(run, kimg, len(rates) / sum(1 / rate for rate in rates) if rates else 0.0)


def _model(config: TrainGanConfig, size: int, place: tf.distribute.Strategy) -> Began:
    assert config.width is not None and config.learning_rate is not None
    with place.scope():
        model = Began(
            size, config.width, config.latent, config.gamma, config.lambda_k, config.ema,
            config.mirror, config.precision, config.seed,
        )  # fmt: skip
        model.compile(config.learning_rate)
    return model


def _callbacks(
    config: TrainGanConfig, run: Run, dataset: FaceDataset, plateau: Plateau, health: Health, chief: bool
) -> tuple[Checkpoints, Watch, list[keras.callbacks.Callback]]:
    """What happens between the steps, in its order. Every process decides alike; the chief alone writes."""
    assert config.batch is not None and config.width is not None
    journal = Journal(run, _steps(config, config.log_every), config.batch, chief)
    saver = Checkpoints(
        run, _steps(config, config.checkpoint_every), config.keep_checkpoints,
        lambda: {"plateau": plateau.state(), "health": health.state()}, lambda: health.suspicious, chief,
    )  # fmt: skip
    watch = Watch(health, journal, saver, dataset, config.batch)
    some = np.linspace(0, len(dataset) - 1, min(SHOWN_FACES, len(dataset))).round().astype(np.int64)
    pictures = Pictures(run, _steps(config, config.sample_every), config.latent, watch.look_at_faces, chief,
                        lambda: dataset.images(some))  # fmt: skip
    judge = [Judge(journal, _steps(config, config.judge_every), config.latent, dataset)] if chief else []
    return saver, watch, [plateau, journal, watch, pictures, *judge, saver]


def _lost(text: str, saver: Checkpoints, config: TrainGanConfig) -> str:
    good = saver.go_back()
    if good is None:
        return f"{text}. No checkpoint was made before it."
    kimg = _kimg(config, int(good.stem.removeprefix("step-")))
    return f"{text}. {good.name} ({kimg:g} kimg) is from before it, and the run is back there."


def _data(place: tf.distribute.Strategy, dataset: FaceDataset, config: TrainGanConfig, start: int) -> Any:
    assert config.batch is not None
    replicas = place.num_replicas_in_sync
    if replicas == 1:
        return image_batches(dataset, config.batch, config.seed, start)

    # Each process reads the parts of its own devices.
    def parts(context: tf.distribute.InputContext) -> tf.data.Dataset:
        own = replicas // context.num_input_pipelines
        first = context.input_pipeline_id * own
        return image_batches(dataset, config.batch or 0, config.seed, start, replicas, range(first, first + own))

    return place.distribute_datasets_from_function(parts)


def _steps(config: TrainGanConfig, kimg: float) -> int:
    """Steps that see so many thousand images."""
    assert config.batch is not None
    return max(1, round(kimg * 1000 / config.batch))


def _kimg(config: TrainGanConfig, steps: int) -> float:
    assert config.batch is not None
    return steps * config.batch / 1000


def _check(config: TrainGanConfig) -> None:
    assert config.learning_rate is not None
    require("--learning-rate-floor", config.learning_rate_floor, 0, config.learning_rate)


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


def _same_experiment(run: Run, config: TrainGanConfig, dataset: FaceDataset) -> None:
    """Refuses to go on with other options than the run was started with."""
    before, now = run.stage("train-gan", TrainGanConfig), to_json(config)
    for name, value in now.items():
        if name not in MAY_CHANGE and before.get(name, value) != value:
            option = "--" + name.replace("_", "-")
            raise UsageError(
                f"{option} is {value!r} and {run.path} was trained with {before[name]!r}; "
                "take that value or name another --run."
            )
    began = run.config().get("dataset", {})
    facts = [("count", began.get("count"), dataset.count), ("scheme", run.scheme, dataset.scheme)] if began else []
    for name, then, given in facts:
        if then != given:
            raise UsageError(
                f"{config.dataset} has {name} {given} and the run began with {then}; "
                "name that dataset or another --run."
            )
    if began.get("digest", dataset.digest) != dataset.digest:
        raise UsageError(
            f"{config.dataset} holds other faces than the dataset that {run.path} began with "
            f"({before.get('dataset')}, wherever that is now); name that one or another --run."
        )
