"""Which TFLite interpreter runs here."""

import importlib
import importlib.util
import platform
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lmedge.bounds import cores, require_threads
from lmedge.errors import LmedgeError, UsageError
from lmedge.installation import install, remedy
from lmedge.quiet import native_stderr_off
from lmedge.variants import DEFAULT_THREADS, PREFERRED, InterpreterName

# name -> (module, distribution), in order of preference
INTERPRETERS: dict[InterpreterName, tuple[str, str]] = {
    "litert": ("ai_edge_litert.interpreter", "ai-edge-litert"),
    "tflite": ("tflite_runtime.interpreter", "tflite-runtime"),
    "tensorflow": ("tensorflow", "tensorflow"),
}


def installed() -> dict[InterpreterName, str]:
    """Interpreters that are installed: name -> version."""
    import importlib.metadata as metadata  # here, as it takes a fifth of the time of importing this package

    found: dict[InterpreterName, str] = {}
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


def choose(name: InterpreterName = "auto") -> InterpreterName:
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


def threads_of(name: InterpreterName, asked: int | None) -> int:
    """The threads to give to an interpreter: None takes what suits it, 0 one a core. Raises UsageError."""
    asked = DEFAULT_THREADS[name] if asked is None else require_threads("--threads", asked)
    return asked or cores()


def load(name: InterpreterName, model: str, threads: int) -> Any:
    """An allocated interpreter for the model file. Raises LmedgeError where this interpreter refuses the model."""
    module = importlib.import_module(INTERPRETERS[name][0])
    make: Callable[..., Any] = module.lite.Interpreter if name == "tensorflow" else module.Interpreter
    try:
        with native_stderr_off():
            interpreter = make(model_path=model, num_threads=threads)
            interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0][:200]
        others = [variant for variant in PREFERRED[name] if f"faces-{variant}.tflite" != Path(model).name]
        raise LmedgeError(
            f"{model} does not run on {INTERPRETERS[name][1]} {installed()[name]} ({reason}); "
            f"take --variant {' or '.join(others[:2])}, or a newer interpreter."
        ) from None
    return interpreter
