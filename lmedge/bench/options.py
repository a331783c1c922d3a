"""Options of the bench."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional

from lmedge.bounds import Check, require_threads, within
from lmedge.options import BundlePath, ModelName, RunIfSaid, Stage
from lmedge.variants import VariantName

TimedThreads = Annotated[int, Check(lambda option, value: require_threads(option, value, 1))]


@dataclass(frozen=True, kw_only=True)
class BenchConfig(Stage):
    """Time every variant of a bundle on every interpreter that is installed, and say which to ship on how many threads.

    Each measurement runs in a process of its own: size, load time, first face, median and 95th percentile, faces a
    second, memory, nodes outside XNNPACK, and the difference from the float Keras networks on the 16 faces that come
    with a bundle (`lmedge info` says that of 512, which the export measured).

    Example: lmedge bench bundle --out perf.json
    """

    bundle: Positional[BundlePath] = None
    """Bundle folder, a .tflite file of one, or a model that comes with lmedge by its name. Default: that of --model."""
    model: ModelName = None
    """Model that comes with lmedge, where none is named. Default: reference."""
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
    run: RunIfSaid = None
    """Run that the bundle was exported from; for --compare. Not needed for a model that comes with lmedge."""
    face_mesh: bool = True
    """Also time finding the landmarks with MediaPipe Face Mesh instead of L-Gen."""
    overwrite: bool = False
    """Replace the file of --out."""
