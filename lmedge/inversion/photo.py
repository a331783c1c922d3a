"""One photo: the face beside what the generator makes of it."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmedge.affine import Image8
from lmedge.annotators.annotator import Annotator
from lmedge.errors import UsageError
from lmedge.faces.crop import Cutting, Face
from lmedge.faces.one_photo import face_in
from lmedge.inversion.focus import face_weights
from lmedge.inversion.inverter import Inverter
from lmedge.inversion.latents import LEAST_EXPLAINED, explained, psnr
from lmedge.inversion.options import InvertPhotoConfig, PhotoConfig
from lmedge.inversion.resolve import decided, filled, start_alone
from lmedge.inversion.search import Search
from lmedge.kept import keeps_run
from lmedge.keras_model import Generator, to_uint8
from lmedge.landmarks import Array, nme, normalised
from lmedge.latent import Latents, LatentSpec
from lmedge.pictures import check_picture, drawn, enlarged, grid, write_picture
from lmedge.progress import console
from lmedge.run import Run
from lmedge.storage import claim_file

SHOWN_PIXELS = 320  # about the side of each picture


@dataclass(frozen=True)
class PhotoFace:
    """The `face` on a photo, cut out as those that a run learnt from; `landmarks` `[1, K, 2]` in its pixels, None where
    `annotator` cannot place those of the run."""

    face: Face
    landmarks: Array | None
    annotator: Annotator

    @property
    def real(self) -> NDArray[np.float32]:
        """`[1, H, W, 3]` in -1..1."""
        return self.face.pixels[None].astype(np.float32) / 127.5 - 1

    def weights(self, background: float) -> NDArray[np.float32]:
        """Of its pixels `[H, W]`."""
        return face_weights(self.face.landmarks[None], len(self.face.pixels), background)


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
    return filled(config, search_alone(config, Run.open(config.run)))


def search_alone(config: PhotoConfig, run: Run) -> Search:
    """The search for the latent of a photo, with everything decided. Raises UsageError for an encoder where there is
    none."""
    search = decided(config, run, start_alone(config, run), alone=True)
    background = search.background if config.background is None else config.background
    return dataclasses.replace(search, background=background, batch=1)


def check_photo(photo: Path, run: Run) -> None:
    """Raises UsageError for a folder, and for what is not there."""
    if photo.is_dir():
        raise UsageError(f"{photo} is a folder; name a photo, or `lmedge invert {run} {photo}` for a dataset.")
    if not photo.exists():
        raise UsageError(f"{photo} does not exist; name a photo of one face.")


def photo_face(photo: Path, run: Run, size: int, what: str) -> PhotoFace:
    """The face of `size` pixels on a photo that is to be `what`. Raises LmedgeError for a photo without a face."""
    cutting = Cutting.as_of(run.provenance, run.scheme, size)
    comparable = cutting.scheme == run.scheme
    if not comparable:
        console.print(
            f"{cutting.annotator.title} cannot place all points of {run.scheme}: the photo's landmarks are left out"
        )
    face = face_in(photo, cutting, what)
    return PhotoFace(face, face.landmarks[None] if comparable else None, cutting.annotator)


def latent_of(
    there: PhotoFace, run: Run, network: Any, search: Search, latent: LatentSpec, held: Latents | None = None
) -> Latents:
    """`[1, Z]` of a face on a photo, for a generator `network`; blocks that are not searched as `held` has them."""
    encoder = run.encoder() if search.start == "encoder" else None
    console.print(f"invert: {search.rounds} searches from the {search.start}")
    size = len(there.face.pixels)
    known = None if there.landmarks is None else normalised(there.landmarks, size, size)
    inverter = Inverter(network, latent, search, there.weights(search.background), encoder)
    return inverter(there.real, held=held, landmarks=known)


@keeps_run
def invert_photo(config: InvertPhotoConfig) -> InvertedPhoto:
    """Cuts the face out of a photo as `prepare` does, inverts it, and draws original, inversion and landmarks side by
    side; see InvertPhotoConfig.

    Raises LmedgeError for a photo without a face, UsageError for a folder and for a picture that is there.
    """
    photo, run = config.photo, Run.open(config.run)
    beside = Path(f"{photo.stem}-inverted.png") if run.shipped else run.path / "photos" / f"{photo.stem}.png"
    picture = config.out or beside
    check_picture(picture)
    check_photo(photo, run)
    search = search_alone(config, run)
    model = run.face_model() if run.lgen_file.exists() else None
    generator = model.generator if model else Generator(run.generator(), run.latent)
    claim_file(picture, config.overwrite, [photo])
    size, scheme = generator.width, run.scheme
    there = photo_face(photo, run, size, "inverted")
    z = latent_of(there, run, generator.network, search, generator.latent)
    image = generator.values(z)
    points, error = None, None
    if model is not None:
        points = model.landmarks(z)
        error = None if there.landmarks is None else float(nme(points, there.landmarks, scheme)[0])
    scale = max(1, SHOWN_PIXELS // size)
    inversion: Image8 = to_uint8(image)[0]
    marked = (there.face.pixels, there.landmarks), (inversion, points)
    shown = [enlarged(f, scale) if p is None else drawn(f, p[0], scheme, scale) for f, p in marked]
    write_picture(picture, grid(shown, 2))
    quality = float(psnr(image, there.real)[0]), float(explained(image, there.real)[0])
    return InvertedPhoto(z[0], *quality, error, there.annotator.title, picture)
