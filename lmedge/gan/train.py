"""The `train-began` stage: face dataset -> generator."""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from lmedge.config import PRESETS, TrainBeganConfig, require, to_json
from lmedge.errors import LmedgeError, UsageError
from lmedge.faces.records import FaceDataset
from lmedge.gan import checkpoint
from lmedge.gan.began import Began
from lmedge.gan.callbacks import Checkpoints, Counter, Journal, Pictures, Plateau
from lmedge.gan.devices import resolve_precision, share_cores, strategy
from lmedge.progress import console, progress
from lmedge.run import Run
from lmedge.versions import versions

# Options that may differ between the sittings of one run; every other one makes another experiment.
MAY_CHANGE = frozenset(("steps", "dataset", "run", "checkpoint_every", "keep_checkpoints", "sample_every",
                        "log_every"))  # fmt: skip


@dataclass(frozen=True)
class Trained:
    """Where the run stands: `step` of `steps`, images a second of this sitting."""

    run: Run
    step: int
    images_per_second: float


def resolve(config: TrainBeganConfig) -> TrainBeganConfig:
    """The options with the preset's values and the precision filled in."""
    preset = PRESETS[config.preset]
    width = config.width or preset.width
    return dataclasses.replace(
        config,
        width=width,
        batch=config.batch or preset.batch,
        precision=resolve_precision(config.precision, width),
    )


def batches(count: int, batch: int, seed: int, start: int) -> Iterator[NDArray[np.int64]]:
    """Indices of the batches from step `start` on, without end: every epoch is a fresh permutation, drawn
    from (seed, epoch), and a batch may straddle two. Where a step's batch lies follows from its number."""
    epoch, order = -1, np.empty(0, np.int64)
    position = start * batch
    while True:
        wanted: list[int] = []
        while len(wanted) < batch:
            at, offset = divmod(position, count)
            if at != epoch:
                epoch, order = at, np.random.default_rng((seed, at)).permutation(count)
            part = order[offset : offset + batch - len(wanted)]
            wanted.extend(part)
            position += len(part)
        yield np.array(wanted)


def image_batches(dataset: FaceDataset, batch: int, seed: int, start: int) -> tf.data.Dataset:
    """uint8 `[batch, size, size, 3]` from step `start` on, read and decoded ahead of the training."""

    def serialized() -> Iterator[list[bytes]]:
        for indices in batches(len(dataset), batch, seed, start):
            yield dataset.serialized(indices)

    data = tf.data.Dataset.from_generator(serialized, output_signature=tf.TensorSpec([batch], tf.string))
    data = data.map(lambda examples: dataset.parse(examples)["image"], num_parallel_calls=tf.data.AUTOTUNE)
    return data.prefetch(tf.data.AUTOTUNE)


def train_began(config: TrainBeganConfig) -> Trained:
    """Trains until `config.steps`, from the newest checkpoint of the run if there is one.

    Raises UsageError for options that do not fit the dataset or the run, LmedgeError when the loss is not
    finite.
    """
    config = resolve(config)
    _check(config)
    dataset = FaceDataset(config.dataset)
    preset = PRESETS[config.preset]
    assert config.batch is not None and config.width is not None
    if dataset.size != preset.size:
        fits = [name for name, p in PRESETS.items() if p.size == dataset.size]
        advice = f"take --preset {' or '.join(fits)}" if fits else "make the dataset in another size"
        raise UsageError(
            f"{config.dataset} has faces of {dataset.size} pixels and --preset {config.preset} is for "
            f"{preset.size}; {advice}."
        )
    if len(dataset) < config.batch:
        raise UsageError(f"{config.dataset} has {len(dataset)} faces, fewer than --batch {config.batch}.")
    run = Run.create(config.run)
    found = checkpoint.checkpoints(run.checkpoints)
    if found:
        _same_experiment(run, config, dataset)

    share_cores()
    place = strategy()
    with place.scope():
        model = Began(
            preset.size, config.width, config.latent, config.gamma, config.lambda_k, config.ema,
            config.mirror, config.precision, config.seed,
        )  # fmt: skip
        model.compile(config.learning_rate)
    plateau = Plateau(config)
    if found:
        plateau.load(checkpoint.restore(found[-1], model)["plateau"])
    start = int(model.step.numpy())
    if found and start >= config.steps:
        console.print(f"{run.path} is at step {start} already; raise --steps to go on.")
        return Trained(run, start, 0.0)
    about = {key: dataset.about[key] for key in ("size", "scheme", "licence", "count", "made_by")}
    run.record("train-began", to_json(config), seed=config.seed, dataset=about,
               versions=versions("tensorflow", "keras", "numpy"))  # fmt: skip
    if start:
        console.print(f"continuing {run.path} from step {start}")

    journal = Journal(run, config.log_every, config.batch)
    journal.cut(start)
    saver = Checkpoints(run, config, plateau, preset.size)
    data = image_batches(dataset, config.batch, config.seed, start)
    with progress("train-began", config.steps, "steps", start) as advance:
        counter = Counter(start, advance)
        pictures = Pictures(run, config.sample_every, config.latent)
        callbacks: list[keras.callbacks.Callback] = [counter, plateau, journal, pictures, saver]
        try:
            # Keras spreads the batches over the strategy's devices itself.
            model.fit(data, epochs=1, steps_per_epoch=config.steps - start, callbacks=callbacks, verbose=0,
                      shuffle=False)  # fmt: skip
        finally:
            saver.release()
    rates = [line["images_per_second"] for line in run.log() if line["step"] > start]
    if saver.stopped:
        raise LmedgeError(
            f"stopped at step {model.done} of {config.steps}, saved; the same command goes on from there."
        )
    return Trained(run, model.done, len(rates) / sum(1 / rate for rate in rates) if rates else 0.0)


def _check(config: TrainBeganConfig) -> None:
    assert config.batch is not None and config.width is not None
    for option, value in (("--steps", config.steps), ("--width", config.width), ("--batch", config.batch),
                          ("--latent", config.latent), ("--patience", config.patience),
                          ("--checkpoint-every", config.checkpoint_every),
                          ("--keep-checkpoints", config.keep_checkpoints),
                          ("--sample-every", config.sample_every), ("--log-every", config.log_every)):  # fmt: skip
        require(option, value, 1)
    require("--gamma", config.gamma, 0, 1)
    require("--lambda-k", config.lambda_k, 0, 1)
    require("--ema", config.ema, 0, 1)
    require("--learning-rate", config.learning_rate, 1e-9, 1)
    require("--learning-rate-floor", config.learning_rate_floor, 0, config.learning_rate)


def _same_experiment(run: Run, config: TrainBeganConfig, dataset: FaceDataset) -> None:
    """Refuses to go on with other options than the run was started with."""
    before, now = run.stage("train-began"), to_json(config)
    for name, value in now.items():
        if name not in MAY_CHANGE and before.get(name, value) != value:
            option = "--" + name.replace("_", "-")
            raise UsageError(
                f"{option} is {value!r} and {run.path} was trained with {before[name]!r}; "
                "take that value or name another --run."
            )
    began = run.config().get("dataset", {})
    for name in ("count", "scheme"):
        if began.get(name, dataset.about[name]) != dataset.about[name]:
            raise UsageError(
                f"{config.dataset} has {name} {dataset.about[name]!r} and the run began with {began[name]!r}; "
                "name that dataset or another --run."
            )
