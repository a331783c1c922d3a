"""One photo: the face beside what the generator makes of it."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lmedge.affine import Image8
from lmedge.errors import UsageError
from lmedge.faces.crop import Cutting
from lmedge.faces.one_photo import face_in
from lmedge.inversion.focus import face_weights
from lmedge.inversion.inverter import Inverter
from lmedge.inversion.latents import LEAST_EXPLAINED, explained, psnr
from lmedge.inversion.options import InvertPhotoConfig
from lmedge.inversion.resolve import decided, filled, start_alone
from lmedge.inversion.search import Search
from lmedge.keras_model import Generator, to_uint8
from lmedge.landmarks import nme, normalised
from lmedge.pictures import check_picture, drawn, enlarged, grid, write_picture
from lmedge.progress import console
from lmedge.run import Run
from lmedge.storage import claim_file

SHOWN_PIXELS = 320  # about the side of each picture


@dataclass(frozen=True)
class InvertedPhoto:
    """`z` `[Z]`; `psnr` dB and `explained` share of the variance (below half, `fits` is false: the generator cannot
    draw this face); `nme` of L-Gen's landmarks against those of `annotator`, or None without an L-Gen or where that
    one cannot place the points; `picture`, a file."""

    z: NDArray[np.float32]
    psnr: float
    explained: float
    nme: float | None
    annotator: str
    picture: Path

    @property
    def fits(self) -> bool:
        return self.explained >= LEAST_EXPLAINED


def resolve(config: InvertPhotoConfig) -> InvertPhotoConfig:
    """The options with everything filled in. Raises UsageError for an encoder where there is none."""
    return filled(config, _search(config, Run.open(config.run)))


def _search(config: InvertPhotoConfig, run: Run) -> Search:
    search = decided(config, run, start_alone(config, run), alone=True)
    background = search.background if config.background is None else config.background
    return dataclasses.replace(search, background=background, batch=1)


def invert_photo(config: InvertPhotoConfig) -> InvertedPhoto:
    """Cuts the face out of a photo as `prepare` does, inverts it, and draws original, inversion and landmarks side by
    side; see InvertPhotoConfig.

    Raises LmedgeError for a photo without a face, UsageError for a folder and for a picture that is there.
    """
    photo, run = config.photo, Run.open(config.run)
    if photo.is_dir():
        raise UsageError(f"{photo} is a folder; name a photo, or `lmedge invert {run.path} {photo}` for a dataset.")
    search = _search(config, run)
    model = run.face_model() if run.lgen_file.exists() else None
    generator = model.generator if model else Generator(run.generator(), run.latent)
    beside = Path(f"{photo.stem}-inverted.png") if run.shipped else run.path / "photos" / f"{photo.stem}.png"
    picture = config.out or beside
    check_picture(picture)
    claim_file(picture, config.overwrite)
    size, scheme = generator.width, run.scheme
    cutting = Cutting.as_of(run.provenance, scheme, size)
    comparable = cutting.scheme == scheme
    if not comparable:
        console.print(
            f"{cutting.annotator.title} cannot place all points of {scheme}: the photo's landmarks are left out"
        )
    face = face_in(photo, cutting, "inverted")
    encoder = run.encoder() if search.start == "encoder" else None
    weights = face_weights(face.landmarks[None], size, search.background)
    console.print(f"invert: {search.rounds} searches from the {search.start}")
    real = face.pixels[None].astype(np.float32) / 127.5 - 1
    known = normalised(face.landmarks[None], size, size) if comparable else None
    z = Inverter(generator.network, generator.latent, search, weights, encoder)(real, landmarks=known)
    image = generator.values(z)
    points, error = None, None
    if model is not None:
        points = model.landmarks(z)
        error = float(nme(points, face.landmarks[None], scheme)[0]) if comparable else None
    scale = max(1, SHOWN_PIXELS // size)
    inversion: Image8 = to_uint8(image)[0]
    marked = (face.pixels, face.landmarks if comparable else None), (inversion, None if points is None else points[0])
    shown = [enlarged(f, scale) if p is None else drawn(f, p, scheme, scale) for f, p in marked]
    write_picture(picture, grid(shown, 2))
    quality = float(psnr(image, real)[0]), float(explained(image, real)[0])
    return InvertedPhoto(z[0], *quality, error, cutting.annotator.title, picture)
