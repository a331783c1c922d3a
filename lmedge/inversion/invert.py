"""The `invert` stage: every face of a dataset to its latent."""

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmedge.errors import UsageError
from lmedge.executor import Executor
from lmedge.faces.records import FaceDataset
from lmedge.fetched import origin
from lmedge.inversion.encoder import has_encoder
from lmedge.inversion.inversion import Arrays, Inversion
from lmedge.inversion.latents import SCHEMA, Latents, filling, load_latents, refuse_other
from lmedge.inversion.options import InvertConfig
from lmedge.inversion.resolve import decided, filled
from lmedge.inversion.search import Search
from lmedge.inversion.work import start_inversion, work
from lmedge.kept import keeps_run, shared
from lmedge.keras_model import weights_hash
from lmedge.options import to_json
from lmedge.owner import owning
from lmedge.parts import Part, going_on, split
from lmedge.place import elsewhere
from lmedge.run import Run

PART_FACES = 256  # what a kill can lose
FEW_FACES = 500  # below, the training of an encoder takes longer than a second search from the centre
# Options that change no latent of a dataset.
NO_PART_OF_LATENTS = ("run", "faces", "on", "overwrite")


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


@keeps_run
def invert(config: InvertConfig, executor: Executor | None = None) -> Latents:
    """Inverts the faces of a dataset into RUN/latents; see InvertConfig.

    A part of the faces is a job for `executor`, or for the cluster that `--on` says. On this machine one process does
    them one after the other: TensorFlow takes all cores for each, so that processes beside each other gain nothing.

    Raises UsageError for options or a dataset that do not fit the run, LmedgeError when z is not finite.
    """
    _refuse_file(config)
    executor = executor or elsewhere(config.on)
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
        "dataset": str(origin(dataset.path).resolve()),
        "digest": dataset.digest,
        "size": dataset.size,
        "scheme": dataset.scheme.to_json(),
        "provenance": dataset.provenance.to_json(),
        "count": len(chosen),
        "part": PART_FACES,
        "options": {k: v for k, v in to_json(config).items() if k not in NO_PART_OF_LATENTS},
    }
    parts = split(len(chosen), PART_FACES)
    with owning(run.path):
        with filling(run.latents, about, config.overwrite) as store:
            run.record("invert", to_json(config))
            if missing := store.missing(parts):
                search = dataclasses.replace(search, batch=min(search.batch, count))
                inversion = Inversion.of(run, generator, dataset, search)  # trains the encoder, for workers too
                with (
                    going_on("invert", run.latents, "faces", parts, missing) as advance,
                    _answers(missing, chosen, inversion, run, executor, advance) as answers,
                ):
                    for part, arrays in zip(missing, answers, strict=True):
                        store.write(part, arrays)
                        advance(0 if executor is None else part.count, f"{arrays['psnr'].mean():.2f} dB")
        return load_latents(run)


@contextmanager
def _answers(
    missing: list[Part], chosen: NDArray[np.int64], inversion: Inversion, run: Run, executor: Executor | None,
    advance: Callable[..., None],
) -> Iterator[Iterator[Arrays]]:  # fmt: skip
    """The arrays of the missing parts of the faces `chosen`."""
    jobs = ((int(part.key), part.of(chosen)) for part in missing)
    if executor is None:
        yield (inversion(job, advance) for job in jobs)
    else:
        there = shared(run.path).resolve(), origin(inversion.dataset.path).resolve(), inversion.inverter.how
        with executor.answers(work, jobs, (start_inversion, there), parcel=1, heavy=True) as answers:
            yield answers


def check_fits(run: Run, generator: Any, dataset: FaceDataset) -> None:
    """Raises UsageError where the faces have another size than the generator's, or other landmarks than the run's."""
    check_size(run, generator, dataset)
    if dataset.scheme != run.scheme:
        other = "other " if dataset.scheme.name == run.scheme.name else ""
        raise UsageError(
            f"{dataset.path} has {dataset.scheme} landmarks and {run} began with {other}{run.scheme}; "
            f"make the dataset again with --scheme {run.scheme}."
        )


def check_size(run: Run, generator: Any, dataset: FaceDataset) -> None:
    """Raises UsageError where the faces have another size than the generator's."""
    size = generator.output_shape[1]
    if dataset.size != size:
        raise UsageError(
            f"{dataset.path} has faces of {dataset.size} pixels and the generator of {run} draws {size}; "
            f"make the dataset again with --size {size}."
        )
