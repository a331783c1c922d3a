"""The `train-lgen` stage: L-Gen, the network that reads landmarks off a latent, and its held-out error."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from lmedge.config import TrainLgenConfig, require, to_json
from lmedge.errors import LmedgeError, UsageError
from lmedge.inversion.latents import load_latents
from lmedge.landmarks import Scheme, in_pixels, nme, normalised
from lmedge.progress import progress
from lmedge.run import Run, save_network
from lmedge.runtime import prior
from lmedge.samples import annotated
from lmedge.storage import write_json

FAILURE = 0.1  # NME above which a face counts as failed, as in the 300-W challenge
CURVE_POINTS = 101  # of the cumulative error curve, from 0 to twice the failure threshold
GENERATED_SEED = 1 << 20  # far from the seeds of `evaluate`, so that it never sees a face twice
FEWEST_FOUND = 0.5  # share of generated faces on which Face Mesh must find landmarks
CHECK_EVERY = 5  # epochs between looks at the validation error


@dataclass(frozen=True)
class LgenResult:
    """`metrics` as written to RUN/lgen.json."""

    run: Run
    metrics: dict[str, Any]


def build_lgen(latent: int, points: int, hidden: tuple[int, ...], dropout: float = 0.0) -> Any:
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
    require("--generated", config.generated, 20)
    run = Run.open(config.run)
    latents = load_latents(run)
    scheme, groups = latents.scheme, latents.groups
    inverted = _Faces(latents.z, latents.landmarks, latents.size, scheme)
    sets = {"inverted": _Set(inverted, *split_by_group(groups, config.held_out, config.seed))}
    if config.data != "inverted":
        generated = _generated(run, scheme, config)
        names = np.arange(len(generated)).astype(str)  # every face is a group
        sets["generated"] = _Set(generated, *split_by_group(names, config.held_out, config.seed))
    used = [part for name, part in sets.items() if config.data in (name, "both")]
    learnt = _joined([part.faces[part.training] for part in used])

    def validate(network: Any) -> float:
        return float(np.mean([part.faces[part.validation].errors(network).mean() for part in used]))

    fits = 1 + config.all
    with progress("train-lgen", fits * config.epochs, "epochs") as advance:
        network, epoch = _fit(config, learnt, config.epochs, advance, validate)
        metrics: dict[str, Any] = {
            **_held_out(sets["inverted"], network, learnt),
            "faces": {"training": len(learnt), "validation": sum(len(part.validation) for part in used),
                      "held_out": len(sets["inverted"].held_out)},
            "groups": len(np.unique(groups)),
            "epoch": epoch,
            "data": config.data,
            "refit_on_all": config.all,
            "scheme": scheme.name,
        }  # fmt: skip
        if "generated" in sets:
            metrics["generated"] = _held_out(sets["generated"], network, learnt)
        if config.all:
            network, _ = _fit(config, _joined([part.faces for part in used]), epoch, advance, None)
            advance(config.epochs - epoch)
    save_network(network, run.lgen_file)
    write_json(run.lgen_metrics_file, metrics)
    run.record("train-lgen", to_json(config))
    return LgenResult(run, metrics)


@dataclass(frozen=True)
class _Faces:
    """Latents `z` `[N, Z]` and normalised `landmarks` `[N, K, 2]` of faces of `size` pixels."""

    z: NDArray[np.float32]
    landmarks: NDArray[np.float32]
    size: int
    scheme: Scheme

    def __len__(self) -> int:
        return len(self.z)

    def __getitem__(self, part: NDArray[np.int64]) -> "_Faces":
        return _Faces(self.z[part], self.landmarks[part], self.size, self.scheme)

    def nme(self, predicted: NDArray[np.float32]) -> NDArray[np.float32]:
        """Of normalised points `[N, K, 2]`."""
        size = self.size
        return nme(in_pixels(predicted, size, size), in_pixels(self.landmarks, size, size), self.scheme)

    def errors(self, network: Any) -> NDArray[np.float32]:
        """NMEs `[N]` of what L-Gen reads off the latents."""
        return self.nme(np.asarray(network(self.z, training=False)))


@dataclass(frozen=True)
class _Set:
    faces: _Faces
    training: NDArray[np.int64]
    validation: NDArray[np.int64]
    held_out: NDArray[np.int64]


def _generated(run: Run, scheme: Scheme, config: TrainLgenConfig) -> _Faces:
    """Fresh latents with the landmarks that Face Mesh finds on their faces. Raises LmedgeError where it finds few."""
    generator = run.generator()
    size, latent = generator.output_shape[1], generator.input_shape[-1]
    z = prior(config.generated, latent, GENERATED_SEED + config.seed)
    with progress("annotate generated faces", len(z), "faces") as advance:
        found = annotated(generator, z, scheme, advance)
    if len(found.at) < FEWEST_FOUND * len(z):
        raise LmedgeError(
            f"Face Mesh finds a face on {len(found.at)} of {len(z)} generated ones; train the generator longer, or "
            "take --data inverted."
        )
    return _Faces(z[found.at], normalised(found.landmarks, size, size), size, scheme)


def _joined(parts: list[_Faces]) -> _Faces:
    z = np.concatenate([part.z for part in parts])
    return _Faces(z, np.concatenate([part.landmarks for part in parts]), parts[0].size, parts[0].scheme)


def _held_out(part: _Set, network: Any, learnt: _Faces) -> dict[str, Any]:
    """Errors on held-out faces, and those of the mean face of the training."""
    faces = part.faces[part.held_out]
    mean_face = np.broadcast_to(learnt.landmarks.mean(axis=0), faces.landmarks.shape)
    return {"held_out": error_figures(faces.errors(network)), "mean_face_nme": float(faces.nme(mean_face).mean())}


def _fit(
    config: TrainLgenConfig,
    faces: _Faces,
    epochs: int,
    advance: Callable[..., None],
    validate: Callable[[Any], float] | None,
) -> tuple[Any, int]:
    """Trains on `faces`; with `validate` keeps the epoch where that error was lowest. Returns a network
    without dropout, and the epoch."""
    keras.utils.set_random_seed(config.seed)
    z, points = faces.z, faces.landmarks
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
