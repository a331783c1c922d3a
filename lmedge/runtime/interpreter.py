"""Which TFLite interpreter runs here."""

import importlib
import importlib.util
import os
import platform
import sys
from collections.abc import Callable
from typing import Any

from lmedge.errors import LmedgeError, UsageError
from lmedge.installation import install, remedy
from lmedge.quiet import native_stderr_off

# name -> (module, distribution), in order of preference
INTERPRETERS = {
    "litert": ("ai_edge_litert.interpreter", "ai-edge-litert"),
    "tflite": ("tflite_runtime.interpreter", "tflite-runtime"),
    "tensorflow": ("tensorflow", "tensorflow"),
}
# Variants, best first: tflite-runtime 2.14 gives no int8 op to XNNPACK, so float is faster there.
PREFERRED_VARIANTS = {
    "litert": ("int8-qat", "int8", "fp32"),
    "tflite": ("fp32", "fp16", "int8-qat", "int8"),
    "tensorflow": ("int8-qat", "int8", "fp32"),
}


def installed() -> dict[str, str]:
    """Interpreters that are installed: name -> version."""
    import importlib.metadata as metadata  # here, as it takes a fifth of the time of importing this package

    found = {}
    for name, (module, distribution) in INTERPRETERS.items():
        if importlib.util.find_spec(module.split(".")[0]):
            try:
                found[name] = metadata.version(distribution)
            except metadata.PackageNotFoundError:
                found[name] = "unknown version"
    return found


def suits_here() -> str:
    """The extra whose interpreter has a wheel for this machine."""
    return "tflite" if platform.machine().startswith("armv") else "litert"


def choose(name: str = "auto") -> str:
    """The interpreter to use. Raises UsageError when it, or every one, is missing or cannot work here."""
    here = installed()
    # tflite-runtime fails (`vector::reserve`) in a process that has loaded TensorFlow.
    clash = "tensorflow" in sys.modules
    if name != "auto":
        if name not in INTERPRETERS:
            raise UsageError(f"interpreter {name!r} is unknown; take one of {', '.join(INTERPRETERS)}.")
        if name not in here:
            raise UsageError(
                f"--interpreter {name}: {INTERPRETERS[name][1]} is not installed; {remedy(INTERPRETERS[name][0])}."
            )
        if name == "tflite" and clash:
            raise UsageError("tflite-runtime does not work in a process that has imported TensorFlow.")
        return name
    for candidate in INTERPRETERS:
        if candidate in here and not (candidate == "tflite" and clash):
            return candidate
    raise LmedgeError(f"no TFLite interpreter is installed; {install(suits_here())}.")


def load(name: str, model: str, threads: int) -> Any:
    """An allocated interpreter for the model file. `threads` 0: one a core.

    Raises LmedgeError where this interpreter refuses the model.
    """
    module = importlib.import_module(INTERPRETERS[name][0])
    make: Callable[..., Any] = module.lite.Interpreter if name == "tensorflow" else module.Interpreter
    try:
        with native_stderr_off():
            interpreter = make(model_path=model, num_threads=threads or os.cpu_count() or 1)
            interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0][:200]
        raise LmedgeError(
            f"{model} does not run on {INTERPRETERS[name][1]} {installed()[name]} ({reason}); "
            f"take --variant {' or '.join(PREFERRED_VARIANTS[name][:2])}, or a newer interpreter."
        ) from None
    return interpreter
