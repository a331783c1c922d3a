"""The `invert` stage: every face of a dataset to its latent."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmedge.errors import UsageError
from lmedge.faces.records import FaceDataset
from lmedge.inversion.encoder import encoder_of, has_encoder
from lmedge.inversion.focus import MOST_FACES, face_weights
from lmedge.inversion.inverter import Inverter
from lmedge.inversion.latents import SCHEMA, Latents, explained, filling, load_latents, part_file, psnr, refuse_other
from lmedge.inversion.options import InvertConfig
from lmedge.inversion.resolve import decided, filled
from lmedge.inversion.search import Search
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
NO_PART_OF_LATENTS = ("run", "faces", "overwrite")


def resolve(config: InvertConfig) -> InvertConfig:
    """The options with everything filled in. Raises UsageError for a file in place of a dataset."""
    _refuse_file(config)
    return filled(config, _search(config, Run.open(config.run)))


def _search(config: InvertConfig, run: Run) -> Search:
    start = config.start or ("random" if config.preset == "paper" else None)
    if start is None:
        start = "encoder" if has_encoder(run) or _count(config, FaceDataset(config.faces)) >= FEW_FACES else "centre"
    search = decided(config, run, start)
    return dataclasses.replace(
        search,
        background=search.background if config.background is None else config.background,
        batch=config.batch,
        encoder_steps=config.encoder_steps,
    )


def _refuse_file(config: InvertConfig) -> None:
    if config.faces.is_file():
        raise UsageError(
            f"{config.faces} is a file, and a dataset is a folder; `lmedge invert-photo {config.run} {config.faces}` "
            "inverts a photo."
        )


def _count(config: InvertConfig, dataset: FaceDataset) -> int:
    return min(config.count or len(dataset), len(dataset))


def invert(config: InvertConfig) -> Latents:
    """Inverts the faces of a dataset into RUN/latents; see InvertConfig.

    Raises UsageError for options or a dataset that do not fit the run, LmedgeError when z is not finite.
    """
    _refuse_file(config)
    run = Run.open(config.run)
    run.refuse_shipped()
    dataset, search = FaceDataset(config.faces), _search(config, run)
    config = filled(config, search)
    generator = run.generator()
    check_fits(run, generator, dataset)
    refuse_other(run, dataset.provenance, str(dataset.path))
    count = _count(config, dataset)
    chosen = np.unique(np.linspace(0, len(dataset) - 1, count).round().astype(np.int64))
    about = {
        "schema": SCHEMA,
        "generator": weights_hash(generator),
        "dataset": str(dataset.path.resolve()),
        "digest": dataset.digest,
        "size": dataset.size,
        "scheme": dataset.scheme.to_json(),
        "provenance": dataset.provenance.to_json(),
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
                search = dataclasses.replace(search, batch=min(search.batch, count))
                inverter = inverter_of(run, generator, dataset, search)
                with progress("invert", len(chosen), "faces", done) as advance:
                    for i in missing:
                        _invert_part(part_file(folder, i), i, parts[i], dataset, generator, inverter, advance)
        return load_latents(run)


def check_fits(run: Run, generator: Any, dataset: FaceDataset) -> None:
    """Raises UsageError where the faces have another size than the generator's, or other landmarks than the run's."""
    check_size(run, generator, dataset)
    if dataset.scheme != run.scheme:
        other = "other " if dataset.scheme.name == run.scheme.name else ""
        raise UsageError(
            f"{dataset.path} has {dataset.scheme} landmarks and {run.path} began with {other}{run.scheme}; "
            f"make the dataset again with --scheme {run.scheme}."
        )


def check_size(run: Run, generator: Any, dataset: FaceDataset) -> None:
    """Raises UsageError where the faces have another size than the generator's."""
    size = generator.output_shape[1]
    if dataset.size != size:
        raise UsageError(
            f"{dataset.path} has faces of {dataset.size} pixels and the generator of {run.path} draws {size}; "
            f"make the dataset again with --size {size}."
        )


def inverter_of(run: Run, generator: Any, dataset: FaceDataset, search: Search) -> Inverter:
    """The search for faces of `dataset`, with the run's encoder where it starts from one."""
    weights = weights_for(dataset, search.background)
    encoder = encoder_of(run, generator, dataset, weights, search) if search.start == "encoder" else None
    return Inverter(generator, run.latent, search, weights, encoder)


def weights_for(dataset: FaceDataset, background: float) -> NDArray[np.float32]:
    """Weights of the pixels for faces of `dataset`: `background` against 1 for the face."""
    step = -(-len(dataset) // MOST_FACES)
    return face_weights(dataset.landmarks[::step], dataset.size, background)


def _invert_part(
    path: Path, number: int, indices: NDArray[np.int64], dataset: FaceDataset, generator: Any, inverter: Inverter,
    advance: Any,
) -> None:  # fmt: skip
    batch = inverter.how.batch
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
