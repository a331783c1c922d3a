"""The options of every stage, once: the command line is made from these classes, and they land as JSON in
the run. A stage is `stage(config) -> Result`; an option stands here only if its stage reads it."""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

from tyro.conf import Positional, arg

from lmedge.errors import UsageError

SchemeName = Literal["ibug68", "ibug49"]
RunFolder = Annotated[Path, arg(metavar="RUN")]
DatasetFolder = Annotated[Path, arg(metavar="DATASET")]
FacesPath = Annotated[Path | None, arg(metavar="[DATASET|PHOTO]")]
BundlePath = Annotated[Path | None, arg(metavar="[BUNDLE]")]
Precision = Literal["auto", "float32", "mixed_bfloat16"]
VariantName = Literal["fp32", "fp16", "dynamic", "int8", "int8-io", "int8-qat"]


@dataclass(frozen=True, kw_only=True)
class Stage:
    """What every verb understands."""

    dry_run: bool = False
    """Print the resolved options as JSON and stop."""
    debug: bool = False
    """Show the traceback of a failure."""


@dataclass(frozen=True, kw_only=True)
class ToyConfig(Stage):
    """Draw a dataset of cartoon faces with exact landmarks: no photos, no download.

    Example: lmedge toy --count 2000 --size 32 --out toys
    """

    out: Path
    """Folder for the dataset."""
    count: int = 2000
    """Number of faces."""
    size: int = 32
    """Side of a face in pixels: 32, 64 or 128."""
    scheme: SchemeName = "ibug49"
    """Landmark scheme."""
    seed: int = 0
    """Seed: the same seed gives the same bytes."""
    workers: int = 0
    """Worker processes; 0 takes one a core."""
    overwrite: bool = False
    """Replace a dataset that is there."""


@dataclass(frozen=True, kw_only=True)
class PrepareConfig(Stage):
    """Turn photos into a dataset of cropped, annotated faces.

    Finds the face in every photo, cuts a square around it, finds its landmarks, and writes TFRecord shards.
    Photos that cannot be used are listed with their reason in rejected.csv. Killed and started again with
    the same options, it continues.

    Example: lmedge prepare photos/ --out faces --size 64 --licence "CC BY 4.0"
    """

    photos: Positional[Annotated[tuple[Path, ...], arg(metavar="PHOTOS...")]]
    """Photos, or folders of photos (searched at any depth)."""
    out: Path
    """Folder for the dataset."""
    size: int = 64
    """Side of a stored face in pixels: 32, 64 or 128."""
    scheme: SchemeName = "ibug49"
    """Landmark scheme: ibug68 (300-W), or ibug49, its 49 points without the jaw."""
    crop: Literal["haar", "landmarks", "none"] = "haar"
    """How the square is found. haar: OpenCV's frontal face cascade, largest face. landmarks: eyes and mouth
    brought to fixed places (also rotates). none: the centred square, for photos that are face crops."""
    annotator: Literal["mediapipe", "pts"] = "mediapipe"
    """Where landmarks come from. mediapipe: Face Mesh. pts: a 300-W .pts file beside each photo."""
    margin: float = 0.1
    """Border added on each side of the Haar box, as a share of its side."""
    groups: Path | None = None
    """File with lines `photo group`: photos of one group (a person) never straddle a split. Without it
    every photo is its own group."""
    licence: str = "not stated"
    """Licence of the photos, written into the dataset and into every bundle made from it."""
    workers: int = 0
    """Worker processes; 0 takes one a core."""
    overwrite: bool = False
    """Replace a dataset that is there instead of continuing it."""


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

    Continues by itself when the run has a checkpoint: the same command again goes on to --kimg. Sample grids, curves
    for TensorBoard and log.jsonl land in the run folder; `lmedge report RUN` draws them at any time. A training that
    goes wrong is stopped, with its last good checkpoint. kimg are thousands of images seen, whatever the batch.

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
    kimg: float = 400
    """Train until this many thousand images were seen (over all sittings)."""
    width: int | None = None
    """Filters n of the first convolution. Default: the preset's."""
    batch: int | None = None
    """Faces a step, over all devices. Default: 16 on a CPU, 64 for each GPU."""
    latent: int = 64
    """Components of z, uniform in -1..1."""
    gamma: float = 0.5
    """Diversity ratio gamma: lower gives cleaner and more alike faces."""
    lambda_k: float = 1e-3
    """Proportional gain of k."""
    learning_rate: float | None = None
    """Adam's rate at the start (beta_1 0.5). Default: 1e-4 for 16 faces a step, times the root of batch / 16."""
    learning_rate_floor: float = 2e-5
    """The rate is halved when the convergence measure stalls, but never below this."""
    patience: float = 80
    """kimg without a better convergence measure before the rate is halved."""
    ema: float = 0.999
    """Decay of the averaged generator, the one that is saved and exported."""
    mirror: bool = True
    """Flip half of the faces left to right."""
    precision: Precision = "auto"
    """auto: bfloat16 on a GPU of compute capability 8 or more, and on a CPU with bfloat16 instructions and
    n >= 16; else float32."""
    seed: int = 0
    """Seed. On one CPU machine the same seed and the same threads give the same weights."""
    checkpoint_every: float = 8
    """kimg between checkpoints."""
    keep_checkpoints: int = 2
    """Checkpoints kept, the newest ones; and one to go back to where the training goes wrong."""
    sample_every: float = 8
    """kimg between sample grids."""
    judge_every: float = 40
    """kimg between measurements of Frechet distance, kernel distance and diversity."""
    log_every: float = 0.4
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
    count: int | None = None
    """Invert only this many faces, spread over the dataset. Default: all."""
    self_test: int = 0
    """Instead of photos, invert this many generated faces, whose latents are known, and say how many were found."""
    preset: Literal["fast", "paper"] = "fast"
    """fast: encoder, Gauss-Newton, the face counts more than the background. paper: random starts, 1,000 Adam steps on
    the plain squared error, components that leave -1..1 redrawn (stochastic clipping, arXiv 1702.04782)."""
    start: Literal["encoder", "centre", "random"] | None = None
    """Where the search begins: the encoder's guess, z = 0, or a draw from the prior. Default: as the preset says; in a
    run without an encoder the centre for a photo, a self-test and fewer than 500 faces."""
    steps: int | None = None
    """Steps of a search. Default: 10; paper 1000."""
    rounds: int | None = None
    """Gauss-Newton searches after each other, each with fresh derivatives; a face that gains nothing more leaves early.
    Default: 1; from the centre 2; for a photo and a self-test 4."""
    background: float | None = None
    """Weight of what is around the face, against 1 for the face itself. Default: 0.2; paper 1."""
    encoder_steps: int = 500
    """Training steps of the encoder, of 64 generated and 64 real faces."""
    batch: int = 64
    """Faces inverted at a time."""
    precision: Precision = "auto"
    """Numbers the generator computes in; as for train-began."""
    seed: int = 0
    """Seed of the encoder's training, the random starts and redraws."""
    out: Path | None = None
    """PNG for the picture of a photo. Default: NAME.png in RUN/photos."""
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
    generated: int = 12000
    """Number of generated faces; kept in the run, so that more are added to those that are there."""
    hidden: tuple[int, ...] = (128, 128, 128, 128)
    """Units of the hidden layers (ELU)."""
    steps: int = 12000
    """Most steps; the state with the lowest error on validation groups is kept."""
    batch: int = 128
    """Faces a step."""
    learning_rate: float = 1e-3
    """Adam's rate at the start; falls along a cosine to 0."""
    dropout: float = 0.05
    """Share of hidden units dropped while training."""
    held_out: float = 0.1
    """Share of the groups held out for the error; as many again choose the epoch."""
    all: bool = False
    """After measuring, refit on every face, as the paper does; the saved L-Gen is the refit one and the
    error still that of the honest one."""
    seed: int = 0
    """Seed of split, weights and order."""


@dataclass(frozen=True, kw_only=True)
class EvaluateConfig(Stage):
    """Measure the run and draw its report: RUN/metrics.json and RUN/report/index.html.

    Example: lmedge evaluate runs/first
    """

    run: Positional[RunFolder]
    """Run with a generator and, for most of the figures, latents and an L-Gen."""
    samples: int = 1000
    """Fresh latents for the self-consistency error and for the distances to the real faces."""
    features: str = "filters"
    """Features in which generated and real faces are compared. filters: a fixed filter bank that comes with lmedge.
    keras:NAME: a Keras application, such as keras:InceptionV3, when its weights are on this machine. A .keras or
    .tflite file: a network from images to vectors."""
    mirror_pairs: int = 8
    """Faces whose mirror path is walked, and pairs of random latents whose path is."""
    people: Path | None = None
    """Dataset of photos with landmarks that people placed (`lmedge prepare --annotator pts`), to compare with."""
    seed: int = 0
    """Seed of the samples."""


@dataclass(frozen=True, kw_only=True)
class ReportConfig(Stage):
    """Draw the report page of a run again from its log, also while it trains: RUN/report/index.html.

    Needs no checkpoint and loads no network; figures and pictures of the last `evaluate` stay.

    Example: lmedge report runs/first
    """

    run: Positional[RunFolder]
    """Run to report on."""


@dataclass(frozen=True, kw_only=True)
class ExportConfig(Stage):
    """Write a bundle: the generator and L-Gen as one TFLite model a variant, checked against Keras.

    A variant that does not pass its gates (ops that a device lacks, errors, nodes that XNNPACK leaves out) ends
    the export, and --out stays as it was. The table at the end says which variant to ship where.

    Example: lmedge export runs/first --out bundle
    """

    run: Positional[RunFolder]
    """Run with a generator and an L-Gen."""
    out: Path
    """Folder for the bundle."""
    variants: tuple[VariantName, ...] = ("fp32", "fp16", "dynamic", "int8", "int8-io", "int8-qat")
    """fp32, fp16: float. dynamic: int8 weights, float in between. int8: int8 throughout, uint8 image and float32
    landmarks. int8-io: latents, image and landmarks in int8 too. int8-qat: as int8, fine-tuned for it."""
    name: str = "faces"
    """Name of the model, written into its metadata."""
    calibration: int = 256
    """Latents that set the ranges of int8."""
    qat_steps: int = 600
    """Steps of the fine-tuning for int8-qat."""
    min_runtime: str = "2.14"
    """Oldest TFLite that must run every variant."""
    max_image_error: float = 6.0
    """Largest root mean square difference of an image from Keras, in levels (0..255)."""
    max_landmark_error: float = 0.02
    """Largest mean NME of the landmarks from Keras."""
    max_outside: int = 0
    """Nodes that XNNPACK may leave to the interpreter's own, slower kernels."""
    fold: Literal["phases", "transposed", "none"] = "phases"
    """For comparison: how upsampling is folded into convolutions (2x2 convolutions and depth-to-space, a
    transposed convolution, not at all)."""
    int8_elu: bool = True
    """For comparison: compute ELUs in int8."""
    fit_ranges: bool = True
    """For comparison: narrow int8 ranges while the output gets better."""
    signatures: bool = True
    """For comparison: signatures `generate` and `landmarks` beside `sample`."""
    c_array: bool = False
    """Also write the generator and L-Gen of int8-io as C arrays with a header, for microcontrollers: OUT/c."""
    seed: int = 0
    """Seed of the calibration latents and of the fine-tuning."""
    overwrite: bool = False
    """Replace a bundle that is there."""


@dataclass(frozen=True, kw_only=True)
class SampleConfig(Stage):
    """Draw faces with landmarks from a bundle, on any device with a TFLite interpreter.

    Writes face-00000.png ..., landmarks.csv (pixels) and contact.png.

    Example: lmedge sample --out faces
    Example: lmedge sample bundle --count 64 --seed 0 --out faces
    """

    bundle: Positional[BundlePath] = None
    """Bundle folder, or a .tflite file of one. Default: the model that comes with lmedge."""
    out: Path
    """Folder for the faces."""
    count: int = 64
    """Number of faces."""
    seed: int = 0
    """Seed: the same seed gives the same latents everywhere."""
    min_confidence: float = 0.0
    """Leave out faces whose landmarks are less certain: 0.2 leaves out about a fifth of the faces."""
    variant: str | None = None
    """Model of the bundle. Default: the one that suits the interpreter."""
    interpreter: Literal["auto", "litert", "tflite", "tensorflow"] = "auto"
    """ai-edge-litert, tflite-runtime, or TensorFlow's own; auto takes the first installed."""
    threads: int = 0
    """Threads of the interpreter; 0 takes one a core."""
    overwrite: bool = False
    """Replace a folder of samples that is there."""


@dataclass(frozen=True, kw_only=True)
class InterpolateConfig(Stage):
    """Draw the way from one face to another as a strip, with landmarks.

    Example: lmedge interpolate bundle --seed 1 --to-seed 2 --steps 16 --out strip.png
    """

    bundle: Positional[BundlePath] = None
    """Bundle folder, or a .tflite file of one. Default: the model that comes with lmedge."""
    out: Path
    """PNG to write."""
    seed: int = 1
    """Seed of the first face."""
    to_seed: int = 2
    """Seed of the last face."""
    steps: int = 16
    """Faces in the strip, both ends included."""
    landmarks: bool = True
    """Draw the landmarks."""
    variant: str | None = None
    """Model of the bundle. Default: the one that suits the interpreter."""
    interpreter: Literal["auto", "litert", "tflite", "tensorflow"] = "auto"
    """As for sample."""
    overwrite: bool = False
    """Replace a file that is there."""


@dataclass(frozen=True, kw_only=True)
class SynthesizeConfig(Stage):
    """Write a dataset of generated faces with landmarks, for training something else.

    Formats: pts (300-W: .png and .pts), coco (keypoints JSON), csv, tfrecord (a dataset of lmedge), webdataset (tar
    shards; take it or tfrecord for very many faces), facesynthetics (_ldmks.txt). A card and a contact sheet lie beside
    it. Killed and started again with the same options, it continues; memory does not grow with --count.

    Example: lmedge synthesize --count 10000 --min-confidence 0.2 --out faces
    Example: lmedge synthesize bundle --count 50000 --format webdataset --mirror --out shards
    Example: lmedge synthesize --yaw 12 40 --count 2000 --format coco --out turned
    Example: lmedge synthesize runs/first --around photos/ --radius 0.3 --count 5000 --out more
    """

    source: Positional[Annotated[Path | None, arg(metavar="[BUNDLE|RUN]")]] = None
    """Bundle, or run (its Keras networks, on a GPU where there is one). Default: the model that comes with lmedge."""
    out: Path
    """Folder for the dataset."""
    count: int = 1000
    """Faces to write."""
    format: str = "pts"
    """pts, coco, csv, tfrecord, webdataset or facesynthetics."""
    seed: int = 0
    """Seed: the same seed gives the same faces, and with the same versions the same bytes."""
    truncation: float = 1.0
    """Draw latents from -T..T in place of -1..1: below 1 faces are cleaner and more alike."""
    min_confidence: float = 0.0
    """Leave out faces whose landmarks are less certain: 0.2 leaves out about a fifth of the faces."""
    yaw: tuple[float, float] | None = None
    """Keep only heads turned by so many degrees, lowest and highest; above 0 the nose points to the right of the
    picture. Read off the landmarks."""
    mouth_open: tuple[float, float] | None = None
    """Keep only mouths open this far, least and most: distance of the inner lips over that of the outer eye corners;
    0.08 is open."""
    around: Path | None = None
    """Dataset, folder of photos, or photo: draw neighbours of its faces, found by inversion, instead of the prior."""
    radius: float = 0.2
    """With --around: most that a component of the latent moves; the prior is 2 wide."""
    mirror: bool = False
    """Let the mirror image of every face follow it, with its landmarks."""
    variant: str | None = None
    """Model of the bundle. Default: the one that suits the interpreter."""
    interpreter: Literal["auto", "litert", "tflite", "tensorflow"] = "auto"
    """As for sample."""
    workers: int = 0
    """Worker processes that draw from a bundle; 0 takes one a core."""
    overwrite: bool = False
    """Replace a dataset that is there instead of continuing it."""


@dataclass(frozen=True, kw_only=True)
class StudyConfig(Stage):
    """Find out whether generated faces help to train a landmark detector: OUT/index.html.

    Trains one small detector, always for as many steps, on real faces, on generated ones, on both, and with classical
    augmentation, for several amounts of real faces and several seeds, and tests it on faces that nothing learnt from.
    Killed and started again with the same options, it continues, also with more --amounts and --seeds.

    Example: lmedge study helen/trainset --test helen/testset --out study
    """

    real: Positional[Annotated[Path, arg(metavar="PHOTOS|DATASET")]]
    """Real faces with the landmarks that the detector shall give: a folder of photos with .pts files beside them, which
    is made into the dataset OUT-real first, or a dataset made by `lmedge prepare`."""
    test: Path
    """Other faces with landmarks of the same kind: photos (made into OUT-test), or a dataset."""
    out: Path
    """Folder for the study."""
    synthetic: Path | None = None
    """Dataset of generated faces (`lmedge synthesize --format tfrecord`). Default: drawn with the model that comes with
    lmedge."""
    generated: int = 20000
    """Generated faces to draw, where --synthetic names none."""
    amounts: tuple[int, ...] = (50, 100, 200, 400, 0)
    """Numbers of real faces to train on; 0 takes all."""
    seeds: int = 3
    """Repetitions, each with other real faces and other first weights."""
    steps: int = 4000
    """Steps of each training, of 32 faces."""
    synthetic_share: float = 0.5
    """Share of generated faces in a batch of both."""
    style: bool = True
    """Move the landmarks of generated faces to where the real ones have theirs, as far as the real faces of a training
    tell: L-Gen speaks as Face Mesh, people mean other places by some of the names."""
    workers: int = 0
    """Detectors trained at a time, a process and a thread each; 0 takes one a core."""
    overwrite: bool = False
    """Replace a study that is there instead of continuing it."""


@dataclass(frozen=True, kw_only=True)
class BenchConfig(Stage):
    """Time every variant of a bundle on every interpreter that is installed, and say which one to ship.

    Each measurement runs in a process of its own: size, load time, first face, median and 95th percentile, faces a
    second, memory, nodes outside XNNPACK, and the difference from the float Keras networks.

    Example: lmedge bench bundle --out perf.json
    """

    bundle: Positional[BundlePath] = None
    """Bundle folder, or a .tflite file of one. Default: the model that comes with lmedge."""
    out: Path | None = None
    """JSON file for the figures, with machine, processor, versions and date."""
    variants: tuple[str, ...] = ()
    """Variants to time. Default: all."""
    interpreters: tuple[Literal["litert", "tflite", "tensorflow"], ...] = ()
    """Interpreters to time. Default: ai-edge-litert and tflite-runtime, those that are installed."""
    threads: tuple[int, ...] = ()
    """Threads of the interpreter. Default: 1, and one a core."""
    seconds: float = 1.0
    """How long each measurement draws faces."""
    compare: Literal["stock"] | None = None
    """stock: also convert the networks of --run with the plain TFLiteConverter, and show ratios to it."""
    run: Path | None = None
    """Run that the bundle was exported from; for --compare. Not needed for the model that comes with lmedge."""
    face_mesh: bool = True
    """Also time finding the landmarks with MediaPipe Face Mesh instead of L-Gen."""
    overwrite: bool = False
    """Replace the file of --out."""


@dataclass(frozen=True, kw_only=True)
class InfoConfig(Stage):
    """Say what a dataset, run, bundle or .tflite file holds.

    Example: lmedge info bundle
    """

    path: Positional[Path]
    """Folder or file."""
    json: bool = False
    """Print JSON."""


@dataclass(frozen=True, kw_only=True)
class DoctorConfig(Stage):
    """Say which versions, GPUs and interpreters are here, and what is missing for which verb."""


@dataclass(frozen=True, kw_only=True)
class DemoConfig(Stage):
    """Run the whole pipeline on drawn faces, from nothing to sampled faces and a report, in minutes.

    Example: lmedge demo --out demo
    """

    out: Path = Path("demo")
    """Folder for dataset, run, bundle and samples. A demo that was stopped continues."""
    count: int = 3000
    """Faces drawn."""
    kimg: float = 88
    """Thousands of images to train on."""
    inverted: int = 3000
    """Faces inverted."""
    overwrite: bool = False
    """Start again in a folder that has a demo."""


# The verbs in order of use.
STAGES: dict[str, type[Stage]] = {
    "toy": ToyConfig,
    "prepare": PrepareConfig,
    "train-began": TrainBeganConfig,
    "invert": InvertConfig,
    "train-lgen": TrainLgenConfig,
    "evaluate": EvaluateConfig,
    "report": ReportConfig,
    "export": ExportConfig,
    "sample": SampleConfig,
    "interpolate": InterpolateConfig,
    "synthesize": SynthesizeConfig,
    "study": StudyConfig,
    "bench": BenchConfig,
    "info": InfoConfig,
    "doctor": DoctorConfig,
    "demo": DemoConfig,
}


def to_json(config: Stage) -> dict[str, Any]:
    """The options as JSON values; paths become strings. `dry_run` and `debug` are no part of a result."""
    options = {f.name: getattr(config, f.name) for f in dataclasses.fields(config)}
    del options["dry_run"], options["debug"]
    return json.loads(json.dumps(options, default=str))


def from_json(kind: type[Stage], options: dict[str, Any]) -> Any:
    """The inverse of `to_json`. Raises UsageError on an option that this version does not know."""
    fields = {f.name for f in dataclasses.fields(kind)}
    unknown = set(options) - fields
    if unknown:
        raise UsageError(f"option {sorted(unknown)[0]!r} is unknown to {kind.__name__} of this version.")
    hints = get_type_hints(kind)
    values: dict[str, Any] = {}
    for name, value in options.items():
        text = str(hints[name])
        if isinstance(value, list):
            value = tuple(Path(v) for v in value) if "Path" in text else tuple(value)
        elif isinstance(value, str) and "Path" in text:
            value = Path(value)
        values[name] = value
    return kind(**values)


def require(option: str, value: float, least: float, most: float | None = None) -> None:
    """Refuses a number out of range. Raises UsageError that names the option and quotes the value."""
    if not value >= least or (most is not None and value > most):
        bounds = f"at least {least:g}" if most is None else f"between {least:g} and {most:g}"
        raise UsageError(f"{option} must be {bounds}, not {value:g}.")


def require_size(size: int) -> None:
    """Refuses a face size that the networks cannot make: they double from 8 pixels. Raises UsageError."""
    if size not in (16, 32, 64, 128, 256):
        raise UsageError(f"--size must be 16, 32, 64, 128 or 256, not {size}.")
