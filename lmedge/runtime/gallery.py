"""The `sample` and `interpolate` stages: faces as files."""

import csv
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lmedge.config import InterpolateConfig, SampleConfig, require
from lmedge.landmarks import drawn, enlarged, grid
from lmedge.progress import progress
from lmedge.runtime.sampler import FaceSampler
from lmedge.storage import claim_file, claim_folder, replacing, write_bytes

CONTACT_FACES = 64
CONTACT_PIXELS = 128  # a face is enlarged to about this on the contact sheet


@dataclass(frozen=True)
class Gallery:
    """What was written, with what."""

    out: Path
    count: int
    sampler: FaceSampler


def sample(config: SampleConfig) -> Gallery:
    """Writes face-00000.png ..., landmarks.csv and contact.png; see SampleConfig.

    Raises UsageError or LmedgeError before anything is written where the bundle cannot be used.
    """
    require("--count", config.count, 1)
    require("--seed", config.seed, 0)
    sampler = FaceSampler(config.bundle, config.variant, config.interpreter, config.threads)
    claim_folder(config.out, ("landmarks.csv", "face-00000.png"), config.overwrite)
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    names = [f"{name}_{axis}" for name in sampler.scheme.names for axis in "xy"]
    writer.writerow(["file", *names])
    sheet: list[NDArray[np.uint8]] = []
    number = 0
    with progress("sample", config.count, "faces") as advance:
        for faces in sampler.stream(config.count, config.seed):
            for image, points in zip(faces.images, faces.landmarks, strict=True):
                name = f"face-{number:05}.png"
                _save(image, config.out / name)
                writer.writerow([name, *(f"{value:.3f}" for value in points.ravel())])
                if len(sheet) < CONTACT_FACES:
                    scale = max(1, CONTACT_PIXELS // sampler.width)
                    sheet.append(drawn(image, points, sampler.scheme, scale))
                number += 1
            advance(len(faces))
    _save(grid(sheet, 8), config.out / "contact.png")
    write_bytes(config.out / "landmarks.csv", table.getvalue().encode())
    return Gallery(config.out, config.count, sampler)


def interpolate(config: InterpolateConfig) -> Gallery:
    """Writes the strip from one face to another; see InterpolateConfig."""
    require("--steps", config.steps, 2, 1000)
    require("--seed", config.seed, 0)
    require("--to-seed", config.to_seed, 0)
    sampler = FaceSampler(config.bundle, config.variant, config.interpreter)
    claim_file(config.out, config.overwrite)
    faces = sampler.interpolate(config.seed, config.to_seed, config.steps)
    scale = max(1, CONTACT_PIXELS // sampler.width)
    pictures = [
        drawn(image, points, sampler.scheme, scale) if config.landmarks else enlarged(image, scale)
        for image, points in zip(faces.images, faces.landmarks, strict=True)
    ]
    _save(grid(pictures, config.steps), config.out)
    return Gallery(config.out, config.steps, sampler)


def _save(image: NDArray[np.uint8], path: Path) -> None:
    with replacing(path) as beside:
        Image.fromarray(image).save(beside, "PNG")
