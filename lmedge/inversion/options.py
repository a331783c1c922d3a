"""Options of the search for latents."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional

from lmedge.bounds import Batch, Count, Share, Steps, TrainingSeed, whole
from lmedge.options import FacesPath, Precision, RunFolder, Stage


@dataclass(frozen=True, kw_only=True)
class InvertConfig(Stage):
    """Find the latent of every face: z* = argmin |G(z) - face|; of a dataset, or of one photo.

    An encoder, trained first and kept in the run, guesses; damped Gauss-Newton steps follow. Faces that the generator
    cannot draw are marked, and left out by train-lgen. Continues where a killed run stopped. A photo gives a picture:
    the face with the landmarks that an annotator finds, beside its inversion with those of L-Gen.

    Example: lmedge invert runs/first faces
    Example: lmedge invert runs/first me.jpg --out me.png
    Example: lmedge invert runs/first --self-test 1000
    """

    run: Positional[RunFolder]
    """Run with a trained generator."""
    faces: Positional[FacesPath] = None
    """Dataset whose faces are inverted, or one photo."""
    count: Count | None = None
    """Invert only this many faces, spread over the dataset. Default: all."""
    self_test: Annotated[int, whole(0, 1_000_000)] = 0
    """Instead of photos, invert this many generated faces, whose latents are known, and say how many were found."""
    preset: Literal["fast", "paper"] = "fast"
    """fast: encoder, Gauss-Newton, the face counts more than the background. paper: random starts, 1,000 Adam steps on
    the plain squared error, components that leave their bounds redrawn (stochastic clipping, arXiv 1702.04782)."""
    start: Literal["encoder", "centre", "random"] | None = None
    """Where the search begins: the encoder's guess, the middle of the latent, or a draw. Default: as the preset says;
    in a run without an encoder the centre for a photo, a self-test and fewer than 500 faces."""
    steps: Steps | None = None
    """Steps of a search. Default: 10; paper 1000."""
    rounds: Annotated[int, whole(1, 100)] | None = None
    """Gauss-Newton searches after each other, each with fresh derivatives; a face that gains nothing more leaves early.
    Default: 1; from the centre 2; for a photo and a self-test 4."""
    background: Share | None = None
    """Weight of what is around the face, against 1 for the face itself. Default: 0.2; paper 1."""
    encoder_steps: Steps = 500
    """Training steps of the encoder, of 64 generated and 64 real faces."""
    batch: Batch = 64
    """Faces inverted at a time."""
    precision: Precision = "auto"
    """Numbers the generator computes in. auto: bfloat16 where that is faster, see train-gan; else float32."""
    seed: TrainingSeed = 0
    """Seed of the encoder's training, the random starts and redraws."""
    out: Path | None = None
    """Picture of a photo to write: .png, .jpg, .webp, .bmp or .tif. Default: NAME.png in RUN/photos."""
    overwrite: bool = False
    """Throw away latents that are there and start again; replace a picture."""

    @property
    def method(self) -> Literal["gauss-newton", "adam"]:
        """The search of the preset."""
        return "adam" if self.preset == "paper" else "gauss-newton"
