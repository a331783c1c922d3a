"""The `train-lgen` stage: L-Gen, the network that reads landmarks off a latent, and its held-out error."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from lmedge.config import TrainLgenConfig, require, to_json
from lmedge.errors import UsageError
from lmedge.inversion import Latents, load_latents
from lmedge.landmarks import in_pixels, nme
from lmedge.progress import progress
from lmedge.run import Run, save_network
from lmedge.storage import write_json

FAILURE = 0.1  # NME above which a face counts as failed, as in the 300-W challenge
CURVE_POINTS = 101  # of the cumulative error curve, from 0 to twice the failure threshold
CHECK_EVERY = 5  # epochs between looks at the validation error


@dataclass(frozen=True)
class LgenResult:
    """`metrics` as written to RUN/lgen.json."""

    run: Run
    metrics: dict[str, Any]


def build_lgen(latent: int, points: int, hidden: tuple[int, ...], dropout: float = 0.0, keras: Any = keras) -> Any:
    """L-Gen: z `[B, Z]` -> normalised landmarks `[B, K, 2]`. Dense layers with ELU, the last one linear."""
    layers = keras.layers
    z = keras.Input((latent,), name="z")
    x = z
    for i, units in enumerate(hidden, 1):
        x = layers.Dense(units, activation="elu", name=f"hidden_{i}")(x)
        if dropout:
            x = layers.Dropout(dropout, name=f"dropout_{i}")(x)
    x = layers.Dense(2 * points, name="points")(x)
    return keras.Model(z, layers.Reshape((points, 2), name="landmarks")(x), name="lgen")


def split_by_group(
    groups: NDArray[np.str_], share: float, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Indices of (training, validation, held-out) faces: no group is in two of them. `share` of the groups
    go to each of the latter two. Raises UsageError where there are too few groups to split."""
    names = np.unique(groups)
    count = max(1, round(share * len(names)))
    if len(names) - 2 * count < 1:
        raise UsageError(
            f"{len(names)} group{'s' * (len(names) != 1)} of faces cannot be split into training, validation "
            "and held-out ones; invert faces of more people or lower --held-out."
        )
    names = np.random.default_rng(seed).permutation(names)
    parts = names[2 * count :], names[:count], names[count : 2 * count]
    training, validation, held_out = (np.flatnonzero(np.isin(groups, part)) for part in parts)
    return training, validation, held_out


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


def train_lgen(config: TrainLgenConfig) -> LgenResult:
    """Trains L-Gen on the run's latents; see TrainLgenConfig. Raises UsageError, LmedgeError."""
    require("--epochs", config.epochs, 1)
    require("--batch", config.batch, 1)
    require("--learning-rate", config.learning_rate, 1e-7, 1)
    require("--dropout", config.dropout, 0, 0.9)
    require("--held-out", config.held_out, 0.01, 0.4)
    if not config.hidden or min(config.hidden) < 1:
        raise UsageError(f"--hidden must be one or more positive numbers, not {config.hidden}.")
    run = Run.open(config.run)
    latents = load_latents(run)
    training, validation, held_out = split_by_group(latents.groups, config.held_out, config.seed)

    def error_on(network: Any, part: NDArray[np.int64]) -> NDArray[np.float32]:
        predicted = np.asarray(network(latents.z[part], training=False))
        size = latents.size
        return nme(in_pixels(predicted, size, size), in_pixels(latents.landmarks[part], size, size),
                   latents.scheme)  # fmt: skip

    fits = 1 + config.all
    with progress("train-lgen", fits * config.epochs, "epochs") as advance:
        network, epoch = _fit(config, latents, training, config.epochs, advance,
                              lambda n: float(error_on(n, validation).mean()))  # fmt: skip
        errors = error_on(network, held_out)
        mean_face = latents.landmarks[training].mean(axis=0)
        size = latents.size
        true = in_pixels(latents.landmarks[held_out], size, size)
        of_mean = nme(np.broadcast_to(in_pixels(mean_face, size, size), true.shape), true, latents.scheme)
        metrics = {
            "held_out": error_figures(errors),
            "mean_face_nme": float(of_mean.mean()),
            "faces": {"training": len(training), "validation": len(validation), "held_out": len(held_out)},
            "groups": len(np.unique(latents.groups)),
            "epoch": epoch,
            "refit_on_all": config.all,
            "scheme": latents.scheme.name,
        }
        if config.all:
            network, _ = _fit(config, latents, np.arange(len(latents)), epoch, advance, None)
            advance(config.epochs - epoch)
    save_network(network, run.lgen_file)
    write_json(run.lgen_metrics_file, metrics)
    run.record("train-lgen", to_json(config))
    return LgenResult(run, metrics)


def _fit(
    config: TrainLgenConfig,
    latents: Latents,
    part: NDArray[np.int64],
    epochs: int,
    advance: Callable[..., None],
    validate: Callable[[Any], float] | None,
) -> tuple[Any, int]:
    """Trains on `part`; with `validate` keeps the epoch where that error was lowest. Returns a network
    without dropout, and the epoch."""
    keras.utils.set_random_seed(config.seed)
    z, points = latents.z[part], latents.landmarks[part]
    size = (z.shape[1], points.shape[1], config.hidden)
    network, plain = build_lgen(*size, config.dropout), build_lgen(*size)
    # The mean face to begin with: the layers learn the deviation from it.
    kernel, bias = network.get_layer("points").get_weights()
    network.get_layer("points").set_weights([kernel * 0.1, points.mean(axis=0).ravel().astype(bias.dtype)])
    # The rate falls over the whole plan even where fewer epochs are run, so that a refit repeats the fit.
    steps = config.epochs * -(-len(z) // config.batch)
    rate = keras.optimizers.schedules.CosineDecay(config.learning_rate, steps)
    network.compile(optimizer=keras.optimizers.Adam(rate), loss="mse")

    best = float("inf"), 0, network.get_weights()

    def look(epoch: int, _: Any) -> None:
        nonlocal best
        note = ""
        if validate and ((epoch + 1) % CHECK_EVERY == 0 or epoch + 1 == epochs):
            error = validate(network)
            if error < best[0]:
                best = error, epoch + 1, network.get_weights()
            note = f"validation NME {error:.2%}, best {best[0]:.2%}"
        advance(1, note)

    callback = keras.callbacks.LambdaCallback(on_epoch_end=look)
    network.fit(z, points, config.batch, epochs, verbose=0, callbacks=[callback])
    if validate is None:
        best = 0.0, epochs, network.get_weights()
    plain.set_weights(best[2])
    return plain, best[1]
