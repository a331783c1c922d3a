"""Options of what draws faces into files."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from lmedge.bounds import Count, Degrees, Gap, Seed, Share, Threads, Truncation, whole
from lmedge.options import BundlePath, ModelName, SchemeIfSaid, Stage
from lmedge.variants import InterpreterName, VariantName


@dataclass(frozen=True, kw_only=True)
class SampleConfig(Stage):
    """Draw faces with landmarks from a bundle, on any device with a TFLite interpreter.

    Writes face-00000.png ..., landmarks.csv (pixels), latents.npz (an array a block) and contact.png. Models of the
    family relativistic take landmarks that all faces should have, of people who differ: --pts or --like, and a pose;
    or what all faces should show: --set.

    Example: lmedge sample --out faces
    Example: lmedge sample bundle --count 64 --seed 0 --out faces
    Example: lmedge sample bundle --pts face.pts --yaw 20 --out faces
    Example: lmedge sample bundle --set Smiling=1 Eyeglasses=1 --out faces
    """

    bundle: Positional[BundlePath] = None
    """Bundle folder, a .tflite file of one, or a model that comes with lmedge by its name. Default: that of --model."""
    model: ModelName = None
    """Model that comes with lmedge, where none is named. Default: reference."""
    out: Path
    """Folder for the faces."""
    count: Count = 64
    """Number of faces."""
    seed: Seed = 0
    """Seed: the same seed gives the same latents everywhere."""
    truncation: Truncation | None = None
    """Draw people at this share of their distance from the most usual one: below 1 faces are cleaner and more alike.
    Default: what the model recommends, and its least confidence with it; 1 draws all that it can."""
    min_confidence: Share | None = None
    """Leave out faces whose landmarks are less certain: 0.2 leaves out about a fifth of the faces. Default: what the
    model recommends; 0 with --truncation, and where landmarks or a pose are asked for."""
    pts: Path | None = None
    """Ask for the landmarks of this .pts file, in pixels of any photo, which need not be there: they are scaled,
    moved and turned upright to lie nearest to the model's mean face."""
    pts_scheme: SchemeIfSaid = None
    """Which points the .pts file has: ibug68 those of 300-W. Default: those of the model."""
    like: Path | None = None
    """Ask for the landmarks that Face Mesh finds on the face of this photo, cut out as those that the model learnt from
    (needs OpenCV and MediaPipe)."""
    yaw: Degrees | None = None
    """Turn heads to so many degrees; above 0 the nose points to the right of the picture. Without --pts and --like
    every face keeps what else its own landmarks are."""
    mouth_open: Gap | None = None
    """Open mouths so far: distance of the inner lips over that of the outer eye corners; 0.08 is open."""
    set: Annotated[tuple[str, ...] | None, arg(metavar="NAME=VALUE...")] = None
    """Ask for attributes, from -1 (no) to 1 (yes): Smiling=1 Male=-1. What goes with them on photos goes with them.
    `lmedge info BUNDLE` names those of a model; needs one that was trained with --attributes."""
    variant: VariantName | None = None
    """Model of the bundle. Default: the one that suits the interpreter."""
    interpreter: InterpreterName = "auto"
    """litert: ai-edge-litert; tflite: tflite-runtime; tensorflow: TensorFlow's own; auto: the first that is there."""
    threads: Threads | None = None
    """Threads of the interpreter; 0 takes one a core. Default: one on tflite-runtime, which crawls where anything else
    uses the cores, and one a core on the others."""
    overwrite: bool = False
    """Replace a folder of samples that is there."""


@dataclass(frozen=True, kw_only=True)
class InterpolateConfig(Stage):
    """Draw the way from one face to another as a strip, with landmarks.

    Example: lmedge interpolate bundle --seed 1 --to-seed 2 --steps 16 --out strip.png
    """

    bundle: Positional[BundlePath] = None
    """Bundle folder, a .tflite file of one, or a model that comes with lmedge by its name. Default: that of --model."""
    model: ModelName = None
    """Model that comes with lmedge, where none is named. Default: reference."""
    out: Path
    """Picture to write: .png, .jpg, .webp, .bmp or .tif."""
    seed: Seed = 1
    """Seed of the first face."""
    to_seed: Seed = 2
    """Seed of the last face."""
    steps: Annotated[int, whole(2, 1000)] = 16
    """Faces in the strip, both ends included."""
    truncation: Truncation | None = None
    """As of `sample`. Default: what the model recommends; 1 draws all that it can."""
    landmarks: bool = True
    """Draw the landmarks."""
    variant: VariantName | None = None
    """Model of the bundle. Default: the one that suits the interpreter."""
    interpreter: InterpreterName = "auto"
    """litert: ai-edge-litert; tflite: tflite-runtime; tensorflow: TensorFlow's own; auto: the first that is there."""
    overwrite: bool = False
    """Replace a file that is there."""
