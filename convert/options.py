"""Options of the export."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional

from lmedge.bounds import Share, TrainingSeed, Truncation, whole, within
from lmedge.options import RunFolder, Stage
from lmedge.variants import VariantName


@dataclass(frozen=True, kw_only=True)
class ExportConfig(Stage):
    """Write a bundle: the generator and L-Gen as one TFLite model a variant, checked against Keras.

    A variant that does not pass its gates (ops that a device lacks, errors, nodes that XNNPACK leaves out) ends
    the export, and --out stays as it was. The table at the end says which variant to ship where.

    Example: lmedge export runs/first --out bundle
    """

    run: Positional[RunFolder]
    """Run with a generator and an L-Gen, a folder or a URL, or a model that comes with lmedge by its name."""
    out: Path
    """Folder for the bundle."""
    variants: tuple[VariantName, ...] = ("fp32", "fp16", "dynamic", "int8", "int8-io", "int8-qat")
    """fp32, fp16: float. dynamic: int8 weights, float in between. int8: int8 throughout, uint8 image and float32
    landmarks. int8-io: latents, image and landmarks in int8 too. int8-qat: as int8, fine-tuned for it."""
    name: str | None = None
    """Name of the model, written into its metadata. Default: faces, or of a model that comes with lmedge its own."""
    truncation: Truncation | None = None
    """What `sample`, page and app show first: people at this share of their distance from the most usual one.
    `scripts/choose_truncation` measures what it costs. Default: 1, or of a model that comes with lmedge what that
    has; so with the next two."""
    shape_truncation: Truncation | None = None
    """The same of the landmarks that latents ask for."""
    min_confidence: Share | None = None
    """What `sample`, page and app show first: faces whose landmarks are as certain."""
    calibration: Annotated[int, whole(2, 100_000)] = 256
    """Latents that set the ranges of int8, and on which its weights are rounded."""
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
    repeat_latents: bool = True
    """For comparison: give numbers of a latent that weigh much more than most to int8 networks several times, with a
    part of a step between them."""
    round_weights: bool = True
    """For comparison: round int8 weights one after another, each making up for those before it."""
    signatures: bool = True
    """For comparison: signatures `generate` and `landmarks` beside `sample`."""
    c_array: bool = False
    """Also write the generator and L-Gen of int8-io as C arrays with a header, for microcontrollers: OUT/c."""
    seed: TrainingSeed = 0
    """Seed of the calibration latents and of the fine-tuning."""
    overwrite: bool = False
    """Replace a bundle that is there."""
