"""Options of the search for latents."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from lmedge.bounds import Batch, Count, Share, Steps, TrainingSeed, whole
from lmedge.inversion.search import Preset, Start
from lmedge.options import DatasetFolder, Precision, RunFolder, Stage
from lmedge.place import Place


@dataclass(frozen=True, kw_only=True)
class SearchConfig(Stage):
    """What every search for latents understands."""

    run: Positional[RunFolder]
    """Run with a trained generator, a folder or a URL, or a model that comes with lmedge by its name."""
    preset: Preset = "fast"
    """fast: encoder, Gauss-Newton, the face counts more than the background. paper: random starts, 1,000 Adam steps on
    the plain squared error, components that leave their bounds redrawn (stochastic clipping, arXiv 1702.04782)."""
    start: Start | None = None
    """Where the search begins: the encoder's guess, the middle of the latent, or a draw. Default: as the preset says;
    in a run without an encoder the centre."""
    steps: Steps | None = None
    """Steps of a search. Default: 10; paper 1000."""
    rounds: Annotated[int, whole(1, 100)] | None = None
    """Gauss-Newton searches after each other, each with fresh derivatives; a face that gains nothing more leaves early.
    Default: 4."""
    precision: Precision = "auto"
    """Numbers the generator computes in. auto: bfloat16 where that is faster, see train-gan; else float32."""
    seed: TrainingSeed = 0
    """Seed of the random starts and redraws."""


@dataclass(frozen=True, kw_only=True)
class InvertConfig(SearchConfig):
    """Find the latent of every face of a dataset: z* = argmin |G(z) - face|.

    An encoder, trained first and kept in the run, guesses; damped Gauss-Newton steps follow. Faces that the generator
    cannot draw are marked, and left out by train-lgen. Continues where a killed run stopped.

    Example: lmedge invert runs/first faces
    """

    faces: Positional[DatasetFolder]
    """Dataset whose faces are inverted."""
    count: Count | None = None
    """Invert only this many faces, spread over the dataset. Default: all."""
    start: Start | None = None
    """Where the search begins: the encoder's guess, the middle of the latent, or a draw. Default: as the preset says;
    in a run without an encoder the centre for fewer than 500 faces."""
    rounds: Annotated[int, whole(1, 100)] | None = None
    """Gauss-Newton searches after each other, each with fresh derivatives; a face that gains nothing more leaves early.
    Default: 1; from the centre 2."""
    background: Share | None = None
    """Weight of what is around the face, against 1 for the face itself. Default: 0.2; paper 1."""
    encoder_steps: Steps = 500
    """Training steps of the encoder, of 64 generated and 64 real faces."""
    batch: Batch = 64
    """Faces inverted at a time."""
    seed: TrainingSeed = 0
    """Seed of the encoder's training, the random starts and redraws."""
    on: Place = "local"
    """Where faces are inverted: on this machine, or by the nodes of a Ray cluster (extra `ray`), each on a GPU where
    they have some. RUN and DATASET must lie where all nodes see them, or in an object store."""
    overwrite: bool = False
    """Throw away latents that are there and start again."""


@dataclass(frozen=True, kw_only=True)
class PhotoConfig(SearchConfig):
    """What every search for the latent of a photo understands."""

    photo: Positional[Annotated[Path, arg(metavar="PHOTO")]]
    """Photo of one face."""
    background: Share | None = None
    """Weight of what is around the face, against 1 for the face itself. Default: 0.2; paper 1."""


@dataclass(frozen=True, kw_only=True)
class InvertPhotoConfig(PhotoConfig):
    """Find the latent of the face on a photo, and draw both side by side.

    The face is cut out of the photo as those that the generator learnt from. The picture shows it with the landmarks
    that an annotator finds, beside its inversion with those of L-Gen.

    Example: lmedge invert-photo runs/first me.jpg --out me.png
    Example: lmedge invert-photo pretrained me.jpg
    """

    out: Path | None = None
    """Picture to write: .png, .jpg, .webp, .bmp or .tif. Default: NAME.png in RUN/photos; with a model that comes
    with lmedge NAME-inverted.png where lmedge is called."""
    overwrite: bool = False
    """Replace a picture."""


@dataclass(frozen=True, kw_only=True)
class CheckInversionConfig(SearchConfig):
    """Invert generated faces, whose latents are known, and say how many were found.

    Example: lmedge check-inversion runs/first --count 1000
    """

    count: Annotated[int, whole(1, 1_000_000)] = 1000
    """Faces drawn."""
    batch: Batch = 64
    """Faces inverted at a time."""
