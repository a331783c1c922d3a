"""Options of the training of detectors, and of finding landmarks with one."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, arg

from lmedge.bounds import Steps, TrainingSeed, Workers, whole, within
from lmedge.options import ModelName, SchemeIfSaid, Stage
from lmedge.place import Place
from lmedge.variants import DetectorVariant, InterpreterName

# Below so many real faces, the share of generated ones in a batch that `lmedge study` chose on HELEN; 0 beyond.
SHARES = (100, 0.8), (400, 0.6), (1000, 0.3)


@dataclass(frozen=True, kw_only=True)
class TrainDetectorConfig(Stage):
    """Train a small landmark detector for a phone, picture of a face -> landmarks: OUT/detector-int8.tflite.

    Learns from generated faces, whose landmarks L-Gen knows, and from real ones that people labelled where there are
    some, mirrored, turned, moved, lit, blurred and hidden in part. OUT holds the detector in float32 and int8,
    detector.json that says what it is, and index.html with its points on faces that it has not learnt from. Takes
    minutes; one that is stopped begins again.

    Example: lmedge train-detector --out detector
    Example: lmedge train-detector runs/mine --out detector
    Example: lmedge train-detector bundle --real helen/trainset --test helen/testset --out detector
    """

    source: Positional[Annotated[Path | None, arg(metavar="[RUN|BUNDLE|DATASET]")]] = None
    """What gives the generated faces, whose size and landmarks the detector takes on: a run with an L-Gen, a bundle, a
    dataset (`lmedge synthesize --format tfrecord`), or a model that comes with lmedge by its name. Default: that of
    --model."""
    model: ModelName = None
    """Model that comes with lmedge, where none is named. Default: reference."""
    out: Path
    """Folder for the detector."""
    real: Annotated[Path | None, arg(metavar="PHOTOS|DATASET")] = None
    """Real faces with the landmarks that the detector shall give: a folder of photos with .pts files beside them, which
    is made into the dataset OUT-real first, or a dataset made by `lmedge prepare`."""
    test: Annotated[Path | None, arg(metavar="PHOTOS|DATASET")] = None
    """Other faces to measure the error on: photos (made into OUT-test), or a dataset. Default: a tenth of the real
    ones, which it does not learn from then; without real ones generated faces."""
    pts_scheme: SchemeIfSaid = None
    """Which points the .pts files have. Default: ibug68 (300-W), or, where that lacks some of the detector's, those of
    the detector."""
    generated: Annotated[int, whole(100, 1_000_000)] = 20000
    """Generated faces to draw, where SOURCE draws them."""
    synthetic_share: Annotated[float, within(0, 1)] | None = None
    """Share of generated faces in a batch of both; 0 learns from real ones alone. Default: what `lmedge study`
    has chosen for as many, 0.8 below 100 real faces, 0.6 below 400, 0.3 below 1,000, and then 0."""
    augment: bool = True
    """Change the faces of every batch: the better half of what there is to gain."""
    style: bool = True
    """Move the landmarks of generated faces to where the real ones have theirs, as in `lmedge study`."""
    steps: Steps = 8000
    """Steps of the training, of 32 faces."""
    seed: TrainingSeed = 0
    """Seed of the first weights, of the faces drawn, and of what is held out."""
    workers: Workers = 0
    """Processes that cut photos and look at them; 0 takes one a core."""
    on: Place = "local"
    """Where they do: on this machine, or on the nodes of a Ray cluster (extra `ray`). The detector learns here. Photos
    and OUT must lie where all nodes see them."""
    overwrite: bool = False
    """Replace a detector that is there, and the datasets that were made of photos for it."""


@dataclass(frozen=True, kw_only=True)
class DetectConfig(Stage):
    """Find the landmarks of all faces on photos, in a video or before a camera, with a detector of your own.

    Finds faces from a fifth of the picture's shorter side on (OpenCV's frontal cascade), and writes their landmarks in
    pixels of the upright photo, (0, 0) the centre of the first one; .pts files count from 1. OUT/drawn shows them. A
    photo that cannot be read or shows no face is left out: OUT/skipped.csv says why.

    Example: lmedge detect detector me.jpg --out found
    Example: lmedge detect detector photos/ --format csv --out found
    Example: lmedge detect detector film.mp4 --format json --out found
    Example: lmedge detect detector camera --frames 100 --out found
    """

    model: Positional[Annotated[Path, arg(metavar="DETECTOR")]]
    """Folder of `lmedge train-detector` or `study`, or a model in one (detector-int8.tflite)."""
    source: Positional[Annotated[Path, arg(metavar="PHOTO|FOLDER|VIDEO|camera")]]
    """A photo, a folder of photos (searched at any depth), a video, or `camera`; `camera:1` is the second one."""
    out: Path
    """Folder for what is found."""
    format: Literal["pts", "csv", "json"] = "pts"
    """pts: 300-W's file for each face, a.pts, and a-2.pts of the second on a photo. csv: landmarks.csv, a line a face.
    json: landmarks.json, with the scheme. For long videos take csv or json."""
    draw: bool = True
    """Draw photos (OUT/drawn) or the video (OUT/drawn.mp4) with the landmarks."""
    frames: Annotated[int, whole(1)] | None = None
    """Frames of a video or camera to look at. Default: all of a video, 300 of a camera; Ctrl-C ends a camera too."""
    variant: DetectorVariant = "int8"
    """Model of the folder."""
    interpreter: InterpreterName = "auto"
    """litert: ai-edge-litert; tflite: tflite-runtime; tensorflow: TensorFlow's own; auto: the first that is there."""
    overwrite: bool = False
    """Replace what was found before."""
