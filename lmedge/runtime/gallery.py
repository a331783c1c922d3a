"""The `sample` and `interpolate` stages: faces as files."""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lmedge.config import InterpolateConfig, SampleConfig, require
from lmedge.errors import LmedgeError, UsageError
from lmedge.landmarks import drawn, enlarged, grid
from lmedge.progress import console, progress
from lmedge.runtime.bundle import PRETRAINED, Bundle
from lmedge.runtime.sampler import Faces, FaceSampler
from lmedge.storage import claim_file, making_folder, replacing, write_bytes

CONTACT_FACES = 64
CONTACT_PIXELS = 128  # a face is enlarged to about this on the contact sheet
CHUNK = 16  # faces drawn at a time while looking for confident ones
HOPELESS = 1000  # faces drawn for each that is confident enough, before the search is given up


@dataclass(frozen=True)
class Gallery:
    """What was written, with what."""

    out: Path
    count: int
    sampler: FaceSampler


def chosen(bundle: Path | None) -> Bundle:
    """The bundle to use; says so where none was named. Raises UsageError, LmedgeError."""
    if bundle is None:
        opened = Bundle.open(PRETRAINED)
        licence = opened.about.get("training", {}).get("licence", "licence unknown")
        console.print(f"no bundle named: drawing with the model that comes with lmedge ({licence})")
        return opened
    return Bundle.open(bundle)


def sample(config: SampleConfig) -> Gallery:
    """Writes face-00000.png ..., landmarks.csv and contact.png; see SampleConfig.

    Raises UsageError or LmedgeError before anything is written where the bundle cannot be used.
    """
    require("--count", config.count, 1)
    require("--seed", config.seed, 0)
    require("--min-confidence", config.min_confidence, 0, 1)
    sampler = FaceSampler(chosen(config.bundle), config.variant, config.interpreter, config.threads)
    if config.min_confidence and not sampler.knows_confidence:
        raise UsageError(
            f"--min-confidence {config.min_confidence:g}: the model in {sampler.bundle.path} gives no confidence; "
            "train L-Gen again and export the run."
        )
    with making_folder(config.out, ("landmarks.csv",), config.overwrite) as folder:
        _write(folder, sampler, config)
    return Gallery(config.out, config.count, sampler)


def _write(folder: Path, sampler: FaceSampler, config: SampleConfig) -> None:
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    sure = ["confidence"] if sampler.knows_confidence else []
    writer.writerow(["file", *(f"{name}_{axis}" for name in sampler.scheme.names for axis in "xy"), *sure])
    sheet: list[NDArray[np.uint8]] = []
    number = 0
    with progress("sample", config.count, "faces") as advance:
        for faces in _confident(sampler, config):
            columns = [] if faces.confidence is None else [faces.confidence]
            for image, points, *score in zip(faces.images, faces.landmarks, *columns, strict=True):
                name = f"face-{number:05}.png"
                Image.fromarray(image).save(folder / name)
                writer.writerow([name, *(f"{value:.3f}" for value in (*points.ravel(), *score))])
                if len(sheet) < CONTACT_FACES:
                    sheet.append(drawn(image, points, sampler.scheme, max(1, CONTACT_PIXELS // sampler.width)))
                number += 1
            advance(len(faces))
    Image.fromarray(grid(sheet, 8)).save(folder / "contact.png")
    write_bytes(folder / "landmarks.csv", table.getvalue().encode())


def _confident(sampler: FaceSampler, config: SampleConfig) -> Iterator[Faces]:
    """`config.count` faces of the seed, in its order, without those below `config.min_confidence`. Raises LmedgeError
    where hardly one is above."""
    if not config.min_confidence:
        yield from sampler.stream(config.count, config.seed)
        return
    found, looked, reached, highest = 0, 0, 0, 0.0
    while found < config.count:
        faces = sampler.sample(CHUNK, config.seed, looked)
        looked += len(faces)
        assert faces.confidence is not None
        highest = max(highest, float(faces.confidence.max()))
        sure = np.flatnonzero(faces.confidence >= config.min_confidence)
        reached += len(sure)
        kept = faces[sure[: config.count - found]]
        found += len(kept)
        if looked >= HOPELESS * (found + 1):
            raise LmedgeError(
                f"--min-confidence {config.min_confidence:g}: {found} of {looked} faces reach it, the best has "
                f"{highest:.2f}; take a lower one."
            )
        if len(kept):
            yield kept
    console.print(f"{reached / looked:.0%} of {looked} faces reach a confidence of {config.min_confidence:g}")


def interpolate(config: InterpolateConfig) -> Gallery:
    """Writes the strip from one face to another; see InterpolateConfig."""
    require("--steps", config.steps, 2, 1000)
    require("--seed", config.seed, 0)
    require("--to-seed", config.to_seed, 0)
    sampler = FaceSampler(chosen(config.bundle), config.variant, config.interpreter)
    claim_file(config.out, config.overwrite)
    faces = sampler.interpolate(config.seed, config.to_seed, config.steps)
    scale = max(1, CONTACT_PIXELS // sampler.width)
    pictures = [
        drawn(image, points, sampler.scheme, scale) if config.landmarks else enlarged(image, scale)
        for image, points in zip(faces.images, faces.landmarks, strict=True)
    ]
    with replacing(config.out) as beside:
        Image.fromarray(grid(pictures, config.steps)).save(beside, "PNG")
    return Gallery(config.out, config.steps, sampler)
