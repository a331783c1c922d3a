"""The `invert` stage: every face of a dataset to its latent."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmedge.errors import UsageError
from lmedge.faces.records import FaceDataset
from lmedge.gan.devices import resolve_precision
from lmedge.gan.options import TrainGanConfig
from lmedge.inversion.encoder import cached_encoder, encoder_of
from lmedge.inversion.focus import MOST_FACES, face_weights
from lmedge.inversion.inverter import Inverter
from lmedge.inversion.latents import SCHEMA, Latents, explained, filling, load_latents, part_file, psnr
from lmedge.inversion.options import InvertConfig
from lmedge.keras_model import weights_hash
from lmedge.landmarks import normalised
from lmedge.options import to_json
from lmedge.owner import owning
from lmedge.progress import console, progress
from lmedge.run import Run
from lmedge.storage import write_arrays

PART_FACES = 256  # faces a part file: what a kill can lose
FEW_FACES = 500  # below, the training of an encoder takes longer than a second search from the centre
# Options that change no latent of a dataset.
NO_PART_OF_LATENTS = ("run", "faces", "overwrite", "out", "self_test")


def resolve(config: InvertConfig) -> InvertConfig:
    """The options with everything filled in. Raises UsageError for those out of range, and for an encoder where there
    is none and no dataset to train it on."""
    run = Run.open(config.run)
    paper, alone = config.preset == "paper", _alone(config)
    start = config.start or ("random" if paper else None)
    if start is None or (start == "encoder" and alone):
        there = run.generator_file.exists() and cached_encoder(run, run.generator()) is not None
        if start and not there:
            raise UsageError(f"--start encoder: {run.path} has none; `lmedge invert {run.path} DATASET` trains one.")
        start = "encoder" if there or not (alone or _count(config) < FEW_FACES) else "centre"
    trained = run.stage("train-gan", TrainGanConfig)
    filled: dict[str, Any] = {
        "start": start,
        "steps": (1000 if paper else 10) if config.steps is None else config.steps,
        "rounds": (4 if alone else 2 if start == "centre" else 1) if config.rounds is None else config.rounds,
        "background": (1.0 if paper else 0.2) if config.background is None else config.background,
        "precision": resolve_precision(config.precision, trained.get("width") or 0)[0],
    }
    return dataclasses.replace(config, **filled)


def _alone(config: InvertConfig) -> bool:
    """Are there no faces to train an encoder on?"""
    return bool(config.self_test) or config.faces is None or config.faces.is_file()


def _count(config: InvertConfig) -> int:
    assert config.faces is not None
    there = len(FaceDataset(config.faces))
    return min(config.count or there, there)


def invert(config: InvertConfig) -> Latents:
    """Inverts the faces of a dataset into RUN/latents; see InvertConfig.

    Raises UsageError for options or a dataset that do not fit the run, LmedgeError when z is not finite.
    """
    if config.faces is None:
        raise UsageError("name a dataset or a photo after the run, or take --self-test 1000.")
    run = Run.open(config.run)
    run.refuse_shipped()
    dataset, config = FaceDataset(config.faces), resolve(config)
    generator = run.generator()
    check_fits(run, generator, dataset)
    count = min(config.count or len(dataset), len(dataset))
    chosen = np.unique(np.linspace(0, len(dataset) - 1, count).round().astype(np.int64))
    about = {
        "schema": SCHEMA,
        "generator": weights_hash(generator),
        "dataset": str(dataset.path.resolve()),
        "digest": dataset.digest,
        "size": dataset.size,
        "scheme": dataset.scheme.to_json(),
        "count": len(chosen),
        "options": {k: v for k, v in to_json(config).items() if k not in NO_PART_OF_LATENTS},
    }
    parts = [chosen[start : start + PART_FACES] for start in range(0, len(chosen), PART_FACES)]
    with owning(run.path):
        with filling(run.latents, about, config.overwrite) as folder:
            run.record("invert", to_json(config))
            missing = [i for i in range(len(parts)) if not part_file(folder, i).exists()]
            done = len(chosen) - sum(len(parts[i]) for i in missing)
            if missing and done:
                console.print(f"continuing {run.latents} from face {done}")
            if missing:
                options = dataclasses.replace(config, batch=min(config.batch, count))
                inverter = inverter_of(run, generator, dataset, options)
                with progress("invert", len(chosen), "faces", done) as advance:
                    for i in missing:
                        _invert_part(part_file(folder, i), i, parts[i], dataset, generator, inverter, advance)
        return load_latents(run)


def check_fits(run: Run, generator: Any, dataset: FaceDataset) -> None:
    """Raises UsageError where the faces have another size than the generator's, or other landmarks than the run's."""
    size = generator.output_shape[1]
    if dataset.size != size:
        raise UsageError(
            f"{dataset.path} has faces of {dataset.size} pixels and the generator of {run.path} draws {size}; "
            f"make the dataset again with --size {size}."
        )
    if dataset.scheme != run.scheme:
        other = "other " if dataset.scheme.name == run.scheme.name else ""
        raise UsageError(
            f"{dataset.path} has {dataset.scheme} landmarks and {run.path} began with {other}{run.scheme}; "
            f"make the dataset again with --scheme {run.scheme}."
        )


def inverter_of(run: Run, generator: Any, dataset: FaceDataset, config: InvertConfig) -> Inverter:
    """The search with resolved options for faces of `dataset`, with the run's encoder where it starts from one."""
    weights = weights_for(dataset, config)
    encoder = None
    if config.start == "encoder":
        encoder = encoder_of(run, generator, dataset, weights, config.encoder_steps, config.precision, config.seed)
    return Inverter(generator, run.latent, config, weights, encoder)


def weights_for(dataset: FaceDataset, config: InvertConfig) -> NDArray[np.float32]:
    """Weights of the pixels for faces of `dataset`, with resolved options."""
    step = -(-len(dataset) // MOST_FACES)
    return face_weights(dataset.landmarks[::step], dataset.size, config.background or 0)


def _invert_part(
    path: Path, number: int, indices: NDArray[np.int64], dataset: FaceDataset, generator: Any, inverter: Inverter,
    advance: Any,
) -> None:  # fmt: skip
    batch = inverter.options.batch
    faces = dataset.images(indices).astype(np.float32) / 127.5 - 1.0
    z = inverter(faces, number, advance)
    images = np.concatenate([np.asarray(generator(z[i : i + batch])) for i in range(0, len(z), batch)])
    ratios = psnr(images, faces)
    advance(0, f"{ratios.mean():.2f} dB")
    arrays: dict[str, NDArray[Any]] = {
        "z": z,
        "psnr": ratios,
        "explained": explained(images, faces),
        "index": indices,
        "landmarks": normalised(dataset.landmarks[indices], dataset.size, dataset.size),
        "groups": dataset.groups[indices],
        "sources": dataset.sources[indices],
    }
    write_arrays(path, arrays)
