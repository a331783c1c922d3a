"""The `invert` stage: face -> latent, by Adam on z with stochastic clipping."""

import dataclasses
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from lmedge.config import InvertConfig, require, to_json
from lmedge.errors import LmedgeError, UsageError
from lmedge.faces.records import FaceDataset
from lmedge.gan.devices import resolve_precision
from lmedge.gan.networks import in_precision
from lmedge.landmarks import Scheme, normalised, scheme_named
from lmedge.progress import console, progress
from lmedge.run import Run, weights_hash
from lmedge.storage import read_arrays, read_json, write_arrays, write_json

SCHEMA = 1
ABOUT_FILE = "latents.json"
PART_FACES = 256  # faces a part file: what a kill can lose
RATE_AT_END = 0.05  # of the learning rate


@dataclass(frozen=True)
class Latents:
    """The inverted faces of a run.

    `z` `[N, Z]`; `psnr` `[N]` dB of G(z) against the face; `index` `[N]` in the dataset; `landmarks`
    `[N, K, 2]` of the face, normalised; `groups` and `sources` `[N]`.
    """

    z: NDArray[np.float32]
    psnr: NDArray[np.float32]
    index: NDArray[np.int64]
    landmarks: NDArray[np.float32]
    groups: NDArray[np.str_]
    sources: NDArray[np.str_]
    scheme: Scheme
    size: int
    dataset: Path

    def __len__(self) -> int:
        return len(self.z)


def psnr(images: Any, others: Any) -> NDArray[np.float32]:
    """Peak signal-to-noise ratio of each pair, dB; images `[N, H, W, 3]` in -1..1 (clipped to it)."""
    difference = np.clip(images, -1, 1) - np.clip(others, -1, 1)
    mse = np.maximum((difference.astype(np.float64) ** 2).mean(axis=(1, 2, 3)), 1e-12)
    return (10 * np.log10(4.0 / mse)).astype(np.float32)


def make_inverter(
    generator: Any, steps: int, learning_rate: float, loss: str
) -> Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor]]:
    """A compiled function `(faces [B, H, W, 3] in -1..1, start [B, Z], seed [2]) -> (z [B, Z], images)`.

    Adam (beta 0.9, 0.999) on z with a rate that falls along a cosine. A component that leaves -1..1 is
    redrawn from the prior (Lipton and Tripathi, arXiv 1702.04782, section 3). The best z each face has
    visited is returned, so that a late redraw costs nothing.
    """
    latent = generator.input_shape[-1]

    def errors(images: tf.Tensor, faces: tf.Tensor) -> tf.Tensor:
        difference = images - faces
        each = tf.abs(difference) if loss == "l1" else tf.square(difference)
        return tf.reduce_mean(each, axis=[1, 2, 3])  # (B,)

    @tf.function(autograph=False)
    def invert_batch(faces: tf.Tensor, start: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        def body(i: tf.Tensor, z: tf.Tensor, m: tf.Tensor, v: tf.Tensor, best: tf.Tensor, best_z: tf.Tensor) -> Any:
            # Only z is watched: the generator's weights need no gradient.
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(z)
                error = errors(generator(z, training=False), faces)
                # The sum, so that a face's step does not depend on its batch.
                total = tf.reduce_sum(error)
            gradient = tape.gradient(total, z)
            better = error < best
            best, best_z = tf.where(better, error, best), tf.where(better[:, None], z, best_z)
            t = tf.cast(i, tf.float32) + 1.0
            m = 0.9 * m + 0.1 * gradient
            v = 0.999 * v + 0.001 * tf.square(gradient)
            fall = 0.5 * (1 + tf.cos(np.pi * (t - 1) / steps))
            rate = learning_rate * (RATE_AT_END + (1 - RATE_AT_END) * fall)
            z -= rate * (m / (1 - 0.9**t)) / (tf.sqrt(v / (1 - 0.999**t)) + 1e-8)
            redrawn = tf.random.stateless_uniform(tf.shape(z), seed + tf.stack([0, i]), -1.0, 1.0)
            z = tf.where(tf.abs(z) > 1.0, redrawn, z)
            return i + 1, z, m, v, best, best_z

        zeros = tf.zeros_like(start)
        worst = tf.fill([tf.shape(start)[0]], np.float32(np.inf))
        state = (tf.constant(0), start, zeros, zeros, worst, start)
        *_, last, _, _, best, best_z = tf.while_loop(lambda i, *_: i < steps, body, state)
        last_error = errors(generator(last, training=False), faces)
        z = tf.where((last_error < best)[:, None], last, best_z)
        return tf.ensure_shape(z, [None, latent]), generator(z, training=False)

    return invert_batch


def resolve(config: InvertConfig) -> InvertConfig:
    """The options with the precision filled in."""
    width = Run.open(config.run).stage("train-began").get("width") or 0
    return dataclasses.replace(config, precision=resolve_precision(config.precision, width)[0])


def invert(config: InvertConfig) -> Latents:
    """Inverts the faces of a dataset into RUN/latents; see InvertConfig.

    Raises UsageError for options or a dataset that do not fit the run, LmedgeError when z is not finite.
    """
    config = resolve(config)
    require("--steps", config.steps, 1)
    require("--batch", config.batch, 1)
    require("--learning-rate", config.learning_rate, 1e-6, 10)
    run, dataset = Run.open(config.run), FaceDataset(config.dataset)
    generator = run.generator()
    size, latent = generator.output_shape[1], generator.input_shape[-1]
    if dataset.size != size:
        raise UsageError(
            f"{config.dataset} has faces of {dataset.size} pixels and the generator of {run.path} draws {size}; "
            f"make the dataset again with --size {size}."
        )
    began = run.config().get("dataset", {}).get("scheme", dataset.scheme.name)
    if dataset.scheme.name != began:
        raise UsageError(
            f"{config.dataset} has {dataset.scheme.name} landmarks and {run.path} began with {began}; "
            f"make the dataset again with --scheme {began}."
        )
    count = min(config.count or len(dataset), len(dataset))
    require("--count", count, 1)
    chosen = np.unique(np.linspace(0, len(dataset) - 1, count).round().astype(np.int64))
    about = {
        "schema": SCHEMA,
        "generator": weights_hash(generator),
        "dataset": str(config.dataset.resolve()),
        "size": size,
        "scheme": dataset.scheme.name,
        "count": len(chosen),
        "options": {k: v for k, v in to_json(config).items() if k not in ("run", "dataset", "overwrite")},
    }
    _claim(run.latents, about, config.overwrite)
    run.record("invert", to_json(config))

    parts = [chosen[start : start + PART_FACES] for start in range(0, len(chosen), PART_FACES)]
    missing = [i for i in range(len(parts)) if not _part(run.latents, i).exists()]
    done = len(chosen) - sum(len(parts[i]) for i in missing)
    if missing:
        if done:
            console.print(f"continuing {run.latents} from face {done}")
        if config.precision != "float32":
            generator = in_precision(generator, config.precision)
        inverter = make_inverter(generator, config.steps, config.learning_rate, config.loss)
        batch = min(config.batch, len(chosen))
        with progress("invert", len(chosen), "faces", done) as advance:
            for i in missing:
                _invert_part(run.latents, i, parts[i], dataset, inverter, latent, batch, config.seed, advance)
    return load_latents(run)


def _invert_part(
    folder: Path,
    number: int,
    indices: NDArray[np.int64],
    dataset: FaceDataset,
    inverter: Callable[..., Any],
    latent: int,
    batch: int,
    seed: int,
    advance: Callable[..., None],
) -> None:
    found, ratios = [], []
    for first in range(0, len(indices), batch):
        some = indices[first : first + batch]
        # The last batch is filled up with its first face, as another shape would compile again.
        filled = np.concatenate([some, np.repeat(some[:1], batch - len(some))])
        faces = dataset.images(filled).astype(np.float32) / 127.5 - 1.0
        start = np.random.default_rng((seed, number, first)).uniform(-1, 1, (batch, latent))
        redraws = tf.constant([seed * 7919 + number * PART_FACES + first, 0])
        z, images = inverter(tf.constant(faces), tf.constant(start, tf.float32), redraws)
        z, images = z.numpy()[: len(some)], images.numpy()[: len(some)]
        if not np.isfinite(images).all():
            raise LmedgeError("the generator gives values that are not finite; train it again.")
        found.append(z)
        ratios.append(psnr(images, faces[: len(some)]))
        advance(len(some), f"{np.concatenate(ratios).mean():.2f} dB")
    arrays = {
        "z": np.concatenate(found),
        "psnr": np.concatenate(ratios),
        "index": indices,
        "landmarks": normalised(dataset.landmarks[indices], dataset.size, dataset.size),
        "groups": dataset.groups[indices],
        "sources": dataset.sources[indices],
    }
    write_arrays(_part(folder, number), arrays)


def _part(folder: Path, number: int) -> Path:
    return folder / f"part-{number:05}.npz"


def _claim(folder: Path, about: dict[str, Any], overwrite: bool) -> None:
    """Makes RUN/latents, or finds that what is there belongs to the same inversion."""
    if folder.exists() and overwrite:
        shutil.rmtree(folder)
    if (folder / ABOUT_FILE).exists():
        before = read_json(folder / ABOUT_FILE, "a folder of latents")
        if before != about:
            same = before.get("generator") == about["generator"]
            why = "another dataset or other options" if same else "another state of the generator"
            raise UsageError(f"{folder} holds latents of {why}; add --overwrite to replace them.")
        return
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / ABOUT_FILE, about)


def load_latents(run: Run) -> Latents:
    """All latents of the run. Raises LmedgeError where there are none, or not all, or the generator has
    changed since."""
    about_file = run.latents / ABOUT_FILE
    if not about_file.exists():
        raise LmedgeError(f"{run.path} has no latents; run `lmedge invert {run.path} DATASET` first.")
    about = read_json(about_file, "a folder of latents")
    if about["generator"] != weights_hash(run.generator()):
        raise LmedgeError(
            f"{run.latents} belongs to another state of the generator; run `lmedge invert` with --overwrite."
        )
    columns: dict[str, list[Any]] = {}
    for path in sorted(run.latents.glob("part-*.npz")):
        try:
            for name, values in read_arrays(path).items():
                columns.setdefault(name, []).append(values)
        except ValueError:
            raise LmedgeError(f"{path} is damaged; delete it and run `lmedge invert` again.") from None
    whole: dict[str, Any] = {name: np.concatenate(parts) for name, parts in columns.items()}
    found = len(whole.get("z", ()))
    if found != about["count"]:
        raise LmedgeError(f"{run.latents} holds {found} of {about['count']} faces; run the same `lmedge invert` again.")
    return Latents(**whole, scheme=scheme_named(about["scheme"]), size=about["size"], dataset=Path(about["dataset"]))
