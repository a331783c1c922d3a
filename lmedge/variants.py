"""Variants and interpreters by name, and which to ship where: one rule for `sample`, `bench` and the documentation."""

from collections.abc import Mapping
from typing import Literal

VariantName = Literal["fp32", "fp16", "dynamic", "int8", "int8-io", "int8-qat"]
Variant = VariantName | str  # a lone model, or a bundle of another version, may have other names
DetectorVariant = Literal["fp32", "int8"]
InterpreterName = Literal["auto", "litert", "tflite", "tensorflow"]

# Best first. tflite-runtime 2.14 gives no int8 op to XNNPACK, so float is faster there. int8-io is for
# microcontrollers: on these interpreters callers would have to quantise themselves.
_FAST_INT8 = ("int8-qat", "int8", "dynamic", "fp32", "fp16")
PREFERRED = {
    "litert": _FAST_INT8,
    "tflite": ("fp32", "fp16", "int8-qat", "int8", "dynamic"),
    "tensorflow": _FAST_INT8,
}
# Threads of an interpreter where none are asked for; 0 is one a core. Those of tflite-runtime wait for each other in a
# loop: on two idle cores two of them halve the time, but beside two busy processes a face took 180 ms in place of 1.3.
DEFAULT_THREADS = {"litert": 0, "tflite": 1, "tensorflow": 0}
# dB from Keras; a variant whose image is below it is not picked while a better one is there. Side by side with float32,
# doubled in size, int8 faces at 36.4 dB looked the same.
WORST_PSNR = 36.0


def suitable(interpreter: str, image_psnr: Mapping[str, float | None]) -> str:
    """The variant to take on an interpreter, of those in `image_psnr`: name -> dB of the image, None where nobody
    knows. The first of `PREFERRED` that draws well; else the first that is there."""
    known = [name for name in PREFERRED[interpreter] if name in image_psnr]
    return next((name for name in known if _well(image_psnr[name])), next(iter([*known, *image_psnr])))


def _well(psnr: float | None) -> bool:
    return psnr is None or psnr >= WORST_PSNR
