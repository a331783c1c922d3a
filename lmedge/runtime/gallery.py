"""The `sample` and `interpolate` stages: faces as files."""

import csv
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lmedge.attribute_names import asked_values
from lmedge.folders import making_folder
from lmedge.latent import Latents
from lmedge.pictures import SHEET_FACES, SHEET_PIXELS, check_picture, contact_sheet, write_picture
from lmedge.progress import console, progress
from lmedge.runtime.asked import Finder, asked
from lmedge.runtime.bundle import Bundle
from lmedge.runtime.faces import Faces
from lmedge.runtime.options import InterpolateConfig, SampleConfig
from lmedge.runtime.sampler import FaceSampler
from lmedge.runtime.selection import Selection, Tally, above, check_confidence
from lmedge.shipped import bundle_at, is_shipped
from lmedge.storage import claim_file, write_arrays, write_bytes

FILES = ("face-*.png", "landmarks.csv", "latents.npz", "contact.png")
CHUNK = 16  # faces drawn at a time
Draw = Callable[[int, int], Faces]  # count, first face of the seed -> these


@dataclass(frozen=True)
class Gallery:
    """What was written, with what."""

    out: Path
    count: int
    sampler: FaceSampler


def chosen(bundle: Path | None, model: str | None) -> Bundle:
    """The bundle to use, or that of `model`; says so where it comes with lmedge. Raises UsageError, LmedgeError."""
    opened = Bundle.open(bundle_at(bundle, model))
    if is_shipped(opened.path):
        called = "the model" if bundle is None and model is None else f"the model {opened.path.name}"
        console.print(f"drawing with {called} that comes with lmedge ({opened.provenance.licence})")
    return opened


def sample(config: SampleConfig, finder: Finder | None = None) -> Gallery:
    """Writes face-00000.png ..., landmarks.csv, latents.npz and contact.png; see SampleConfig. `finder` finds the
    landmarks of `--like`, which takes more than there is on the device.

    Raises UsageError or LmedgeError before anything is written where the bundle cannot be used.
    """
    sampler = FaceSampler(chosen(config.bundle, config.model), config.variant, config.interpreter, config.threads)
    sampler.latent = sampler.latent.fixing(asked_values(config.set, "--set"), sampler.bundle.path, "--set")
    wish = asked(config, sampler, finder)
    least = config.min_confidence
    if least is None:  # landmarks that somebody asks for may be rare ones
        least = sampler.clean.min_confidence if wish is None and config.truncation is None else 0.0
    selection = Selection(above(least))
    check_confidence(selection, sampler.knows_confidence, sampler.bundle.path)

    def draw(count: int, first: int) -> Faces:
        z = sampler.latents(count, config.seed, first, config.truncation)
        return sampler.render(z if wish is None else wish(z, first, config.seed))

    with making_folder(config.out, "faces of `lmedge sample`", config.overwrite, names=FILES) as folder:
        _write(folder, sampler, _confident(draw, selection, config.count, sampler), config.count)
    return Gallery(config.out, config.count, sampler)


def _write(folder: Path, sampler: FaceSampler, drawn: Iterator[Faces], count: int) -> None:
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    names = sampler.scheme.names
    sure = [f"{name}_confidence" for name in names] if sampler.knows_point_confidence else []
    sure += ["confidence"] if sampler.knows_confidence else []
    writer.writerow(["file", *(f"{name}_{axis}" for name in names for axis in "xy"), *sure])
    images: list[NDArray[np.uint8]] = []  # on the contact sheet
    landmarks: list[NDArray[np.float32]] = []
    latents: list[Latents] = []
    number = 0
    with progress("sample", count, "faces") as advance:
        for faces in drawn:
            flat = [values.reshape(len(faces), -1) for values in (faces.landmarks, faces.point_confidence,
                    faces.confidence) if values is not None]  # fmt: skip
            for image, values in zip(faces.images, np.concatenate(flat, axis=1), strict=True):
                name = f"face-{number:05}.png"
                Image.fromarray(image).save(folder / name)
                writer.writerow([name, *(f"{value:.3f}" for value in values)])
                number += 1
            images += list(faces.images)[: SHEET_FACES - len(images)]
            landmarks += list(faces.landmarks)[: SHEET_FACES - len(landmarks)]
            latents.append(faces.latents)
            advance(len(faces))
    Image.fromarray(contact_sheet(images, landmarks, sampler.scheme, bare_above=True)).save(folder / "contact.png")
    write_bytes(folder / "landmarks.csv", table.getvalue().encode())
    write_arrays(folder / "latents.npz", sampler.latent.split(np.concatenate(latents)))


def _confident(draw: Draw, selection: Selection, count: int, sampler: FaceSampler) -> Iterator[Faces]:
    """`count` faces, in the order of their seed, without those that are not wanted. Raises LmedgeError where hardly one
    is."""
    tally, missing = Tally(selection), count
    while missing:
        faces = draw(min(CHUNK, missing) if selection.wants_all else CHUNK, tally.looked)
        inside, seen = selection.wanted(faces, sampler.scheme)
        tally.add(len(faces), int(inside.sum()), seen)
        kept = faces[np.flatnonzero(inside)[:missing]]
        missing -= len(kept)
        if len(kept):
            yield kept
    if not selection.wants_all:
        console.print(f"{tally.share:.0%} of {tally.looked} faces reach {selection}")


def interpolate(config: InterpolateConfig) -> Gallery:
    """Writes the strip from one face to another; see InterpolateConfig."""
    sampler = FaceSampler(chosen(config.bundle, config.model), config.variant, config.interpreter)
    scale = max(1, SHEET_PIXELS // sampler.width)
    check_picture(config.out, max(sampler.width * config.steps, sampler.height) * scale)
    claim_file(config.out, config.overwrite)
    faces = sampler.interpolate(config.seed, config.to_seed, config.steps, config.truncation)
    points = faces.landmarks if config.landmarks else None
    write_picture(config.out, contact_sheet(faces.images, points, sampler.scheme, config.steps))
    return Gallery(config.out, config.steps, sampler)
