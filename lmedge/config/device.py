"""Options of what makes bundles, runs them, and shows them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, arg

from lmedge.bounds import Check, Count, Seed, Share, Threads, TrainingSeed, require_threads, whole, within
from lmedge.config.options import BundlePath, RunFolder, Stage
from lmedge.variants import InterpreterName, VariantName

TimedThreads = Annotated[int, Check(lambda option, value: require_threads(option, value, 1))]


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
    calibration: Annotated[int, whole(1, 100_000)] = 256
    """Latents that set the ranges of int8."""
    qat_steps: Annotated[int, whole(1, 1_000_000)] = 600
    """Steps of the fine-tuning for int8-qat."""
    min_runtime: str = "2.14"
    """Oldest TFLite that must run every variant."""
    max_image_error: Annotated[float, within(0, 255)] = 6.0
    """Largest root mean square difference of an image from Keras, in levels (0..255)."""
    max_landmark_error: Annotated[float, within(0, 100)] = 0.02
    """Largest mean NME of the landmarks from Keras."""
    max_outside: Annotated[int, whole(0, 1_000_000)] = 0
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
    seed: TrainingSeed = 0
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
    count: Count = 64
    """Number of faces."""
    seed: Seed = 0
    """Seed: the same seed gives the same latents everywhere."""
    min_confidence: Share = 0.0
    """Leave out faces whose landmarks are less certain: 0.2 leaves out about a fifth of the faces."""
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
    """Bundle folder, or a .tflite file of one. Default: the model that comes with lmedge."""
    out: Path
    """Picture to write: .png, .jpg, .webp, .bmp or .tif."""
    seed: Seed = 1
    """Seed of the first face."""
    to_seed: Seed = 2
    """Seed of the last face."""
    steps: Annotated[int, whole(2, 1000)] = 16
    """Faces in the strip, both ends included."""
    landmarks: bool = True
    """Draw the landmarks."""
    variant: VariantName | None = None
    """Model of the bundle. Default: the one that suits the interpreter."""
    interpreter: InterpreterName = "auto"
    """litert: ai-edge-litert; tflite: tflite-runtime; tensorflow: TensorFlow's own; auto: the first that is there."""
    overwrite: bool = False
    """Replace a file that is there."""


@dataclass(frozen=True, kw_only=True)
class BenchConfig(Stage):
    """Time every variant of a bundle on every interpreter that is installed, and say which to ship on how many threads.

    Each measurement runs in a process of its own: size, load time, first face, median and 95th percentile, faces a
    second, memory, nodes outside XNNPACK, and the difference from the float Keras networks.

    Example: lmedge bench bundle --out perf.json
    """

    bundle: Positional[BundlePath] = None
    """Bundle folder, or a .tflite file of one. Default: the model that comes with lmedge."""
    out: Path | None = None
    """JSON file for the figures, with machine, processor, versions and date."""
    variants: tuple[VariantName, ...] = ()
    """Variants to time. Default: all."""
    interpreters: tuple[Literal["litert", "tflite", "tensorflow"], ...] = ()
    """Interpreters to time. Default: ai-edge-litert and tflite-runtime, those that are installed."""
    threads: tuple[TimedThreads, ...] = ()
    """Threads of the interpreter. Default: 1, and one a core."""
    seconds: Annotated[float, within(0.01, 3600)] = 1.0
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
class WebExportConfig(Stage):
    """Write a folder that makes faces in the browser: static files for any web host, nothing is computed there.

    The page draws with LiteRT.js (WebAssembly), which is put into the folder: once loaded it needs no network, and over
    https or from localhost it opens again without one. Sliders turn the head, open the mouth and change the light
    along directions that are read off the model.

    Example: lmedge web-export bundle --out site
    """

    bundle: Positional[BundlePath] = None
    """Bundle folder, or a .tflite file of one. Default: the model that comes with lmedge."""
    out: Path
    """Folder for the page."""
    variant: VariantName | None = None
    """Model of the bundle. Default: int8-qat, int8, dynamic, fp32 or fp16, the first that is there."""
    litert_js: Path | None = None
    """A node_modules with @litertjs/core 2.5.3. Default: npm fetches it once; it is kept, and checked on every use."""
    overwrite: bool = False
    """Replace a page that is there."""


@dataclass(frozen=True, kw_only=True)
class ServeConfig(Stage):
    """Show a bundle in the browser, on this machine or, with --host 0.0.0.0, on a phone in the same network.

    Example: lmedge serve bundle --port 8000
    """

    bundle: Positional[Annotated[Path | None, arg(metavar="[BUNDLE|SITE]")]] = None
    """Bundle folder, a .tflite file of one, or a folder made by `lmedge web-export`. Default: the model that comes with
    lmedge."""
    port: Annotated[int, whole(0, 65_535)] = 8000
    """Port; 0 takes a free one."""
    host: str = "127.0.0.1"
    """Address to listen on: 127.0.0.1 for this machine only, 0.0.0.0 for every network it is in."""
    variant: VariantName | None = None
    """Model of the bundle. Default: int8-qat, int8, dynamic, fp32 or fp16, the first that is there."""
    litert_js: Path | None = None
    """A node_modules with @litertjs/core 2.5.3. Default: npm fetches it once; it is kept, and checked on every use."""
