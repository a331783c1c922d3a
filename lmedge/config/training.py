"""Options of what trains on the workstation."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional

from lmedge.bounds import Batch, Count, Kimg, Share, Steps, TrainingSeed, whole, within
from lmedge.config.options import DatasetFolder, FacesPath, Precision, RunFolder, Stage

Rate = Annotated[float, within(1e-9, 1)]


@dataclass(frozen=True)
class Preset:
    """Image size and width n, and the batch for a CPU and for a GPU."""

    size: int
    width: int
    batch: int = 16
    gpu_batch: int = 64


PRESETS = {
    "celeba128": Preset(size=128, width=128),
    "celeba64": Preset(size=64, width=64),
    "cpu64": Preset(size=64, width=32),
    "toy32": Preset(size=32, width=16),
}


@dataclass(frozen=True, kw_only=True)
class TrainBeganConfig(Stage):
    """Train the face generator: a BEGAN (arXiv 1703.10717).

    Continues by itself when the run has a checkpoint: the same command again goes on to --kimg, also after Ctrl-C,
    which saves first. Sample grids (the first one before the first step), curves for TensorBoard and log.jsonl land in
    the run folder; `lmedge report RUN` draws them at any time. A training that goes wrong is stopped, with its last
    good checkpoint. kimg are thousands of images seen, whatever the batch.

    On several GPUs every one takes its part of the batch; on several machines set TF_CONFIG on each and start the
    same command on all of them, with a --run on a disk that they share.

    Example: lmedge train-began faces --run runs/first --preset cpu64 --kimg 400
    """

    dataset: Positional[DatasetFolder]
    """Dataset made by `prepare` or `toy`."""
    run: RunFolder
    """Folder of the run."""
    preset: Literal["celeba128", "celeba64", "cpu64", "toy32"] = "cpu64"
    """Size and width: celeba128 (128 px, n 128), celeba64 (64 px, n 64), cpu64 (64 px, n 32),
    toy32 (32 px, n 16)."""
    kimg: Kimg = 400
    """Train until this many thousand images were seen (over all sittings)."""
    width: Annotated[int, whole(1, 1024)] | None = None
    """Filters n of the first convolution. Default: the preset's."""
    batch: Batch | None = None
    """Faces a step, over all devices. Default: 16 on a CPU, 64 for each GPU."""
    latent: Annotated[int, whole(1, 4096)] = 64
    """Components of z, uniform in -1..1."""
    gamma: Share = 0.5
    """Diversity ratio gamma: lower gives cleaner and more alike faces."""
    lambda_k: Share = 1e-3
    """Proportional gain of k."""
    learning_rate: Rate | None = None
    """Adam's rate at the start (beta_1 0.5). Default: 1e-4 for 16 faces a step, times the root of batch / 16."""
    learning_rate_floor: Share = 2e-5
    """The rate is halved when the convergence measure stalls, but never below this."""
    patience: Kimg = 80
    """kimg without a better convergence measure before the rate is halved."""
    ema: Share = 0.999
    """Decay of the averaged generator, the one that is saved and exported."""
    mirror: bool = True
    """Flip half of the faces left to right."""
    precision: Precision = "auto"
    """auto: bfloat16 on a GPU of compute capability 8 or more, and on a CPU with bfloat16 instructions and
    n >= 16; else float32."""
    seed: TrainingSeed = 0
    """Seed. On one CPU machine the same seed and the same threads give the same weights."""
    checkpoint_every: Kimg = 8
    """kimg between checkpoints."""
    keep_checkpoints: Annotated[int, whole(1, 1000)] = 2
    """Checkpoints kept, the newest ones; and one to go back to where the training goes wrong."""
    sample_every: Kimg = 8
    """kimg between sample grids."""
    judge_every: Kimg = 40
    """kimg between measurements of Frechet distance, kernel distance and diversity."""
    log_every: Kimg = 0.4
    """kimg between lines of log.jsonl."""


@dataclass(frozen=True, kw_only=True)
class InvertConfig(Stage):
    """Find the latent of every face: z* = argmin |G(z) - face|; of a dataset, or of one photo.

    An encoder, trained first and kept in the run, guesses; damped Gauss-Newton steps follow. Faces that the generator
    cannot draw are marked, and left out by train-lgen. Continues where a killed run stopped. A photo gives a picture:
    the face with the landmarks that Face Mesh finds, beside its inversion with those of L-Gen.

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
    the plain squared error, components that leave -1..1 redrawn (stochastic clipping, arXiv 1702.04782)."""
    start: Literal["encoder", "centre", "random"] | None = None
    """Where the search begins: the encoder's guess, z = 0, or a draw from the prior. Default: as the preset says; in a
    run without an encoder the centre for a photo, a self-test and fewer than 500 faces."""
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
    """Numbers the generator computes in. auto: bfloat16 where that is faster, see train-began; else float32."""
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


@dataclass(frozen=True, kw_only=True)
class TrainLgenConfig(Stage):
    """Train L-Gen, the small network that reads the landmarks off a latent.

    Trains on the latents of `invert`, on generated faces, or on both, and reports the error on held-out ones: whole
    groups of inverted faces, and generated ones. A second network learns how sure L-Gen may be of a face.

    Example: lmedge train-lgen runs/first
    """

    run: Positional[RunFolder]
    """Run with inverted faces."""
    data: Literal["inverted", "generated", "both"] = "both"
    """What to learn from. inverted: the latents of real faces with their landmarks (the paper). generated: faces that
    the generator draws, with the landmarks that Face Mesh finds on them and on their mirror images. both: the one and
    the other."""
    generated: Annotated[int, whole(20, 10_000_000)] = 12000
    """Number of generated faces; kept in the run, so that more are added to those that are there."""
    hidden: tuple[Annotated[int, whole(1, 8192)], ...] = (128, 128, 128, 128)
    """Units of the hidden layers (ELU)."""
    steps: Steps = 12000
    """Most steps; the state with the lowest error on validation groups is kept."""
    batch: Batch = 128
    """Faces a step."""
    learning_rate: Rate = 1e-3
    """Adam's rate at the start; falls along a cosine to 0."""
    dropout: Annotated[float, within(0, 0.9)] = 0.05
    """Share of hidden units dropped while training."""
    held_out: Annotated[float, within(0.01, 0.4)] = 0.1
    """Share of the groups held out for the error; as many again choose the epoch."""
    all: bool = False
    """After measuring, refit on every face, as the paper does; the saved L-Gen is the refit one and the
    error still that of the honest one."""
    seed: TrainingSeed = 0
    """Seed of split, weights and order."""


@dataclass(frozen=True, kw_only=True)
class EvaluateConfig(Stage):
    """Measure the run and draw its report: RUN/metrics.json and RUN/report/index.html, or those in --out.

    Figures and page of an earlier evaluation are replaced. A run that comes with lmedge is not written to: --out.

    Example: lmedge evaluate runs/first
    """

    run: Positional[RunFolder]
    """Run with a generator and, for most of the figures, latents and an L-Gen."""
    samples: Annotated[int, whole(1, 1_000_000)] = 1000
    """Fresh latents for the self-consistency error and for the distances to the real faces."""
    features: str = "filters"
    """Features in which generated and real faces are compared. filters: a fixed filter bank that comes with lmedge.
    keras:NAME: a Keras application, such as keras:InceptionV3, when its weights are on this machine. A .keras or
    .tflite file: a network from images to vectors."""
    mirror_pairs: Annotated[int, whole(1, 64)] = 8
    """Faces whose mirror path is walked, and pairs of random latents whose path is."""
    people: Path | None = None
    """Dataset of photos with landmarks that people placed (`lmedge prepare --annotator pts`), to compare with."""
    seed: TrainingSeed = 0
    """Seed of the samples."""
    out: Path | None = None
    """Folder for metrics.json, index.html and its pictures; nothing is written into the run then. Default: in RUN."""


@dataclass(frozen=True, kw_only=True)
class ReportConfig(Stage):
    """Draw the report page of a run again from its log, also while it trains: RUN/report/index.html, or in --out.

    Needs no checkpoint and loads no network; figures and pictures of the last `evaluate` stay.

    Example: lmedge report runs/first
    """

    run: Positional[RunFolder]
    """Run to report on."""
    out: Path | None = None
    """Folder for the page, with figures and pictures of the `evaluate` that had the same --out. Default: RUN/report."""
