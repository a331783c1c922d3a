"""TFLite Micro, the runtime of microcontrollers, by its Python package."""

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from convert.c_arrays import NETWORKS, VARIANT
from convert.single import single
from lmedge.devices.device import ROOT, Outcome, Unavailable
from lmedge.landmarks import in_pixels
from lmedge.runtime.faces import Faces

STEP, FIRST, LARGEST = 256, 4096, 64 << 20  # bytes: what arenas are multiples of; the first one tried; the last one


class Micro:
    """It knows one graph and no file, so it gets what `lmedge export --c-array` writes: the generator and L-Gen of
    int8-io, each by itself, in the smallest arena that works."""

    name = "TFLite Micro"

    def outcomes(self, models: dict[str, Path], latents: NDArray[np.float32]) -> dict[str, Outcome]:
        """See Device."""
        if importlib.util.find_spec("tflite_micro") is None:
            raise Unavailable("tflite-micro is not installed")
        found = {name: Outcome(None, f"takes {VARIANT} only") for name in models}
        if VARIANT in models:
            found[VARIANT] = _outcome(models[VARIANT].read_bytes(), latents)
        return found


def _outcome(model: bytes, latents: NDArray[np.float32]) -> Outcome:
    made, notes = {}, []
    with TemporaryDirectory() as folder:
        np.save(Path(folder) / "latents.npy", latents)
        for name, (signature, output) in NETWORKS.items():
            data = single(model, signature)
            (Path(folder) / "model.tflite").write_bytes(data)

            def works(arena: int, folder: str = folder) -> bool:
                files = ("model.tflite", "latents.npy", "out.npy")
                command = [sys.executable, "-m", "lmedge.devices.micro_process", str(arena), *files]
                path = {**os.environ, "PYTHONPATH": str(ROOT)}
                return not subprocess.run(command, capture_output=True, cwd=folder, env=path, check=False).returncode

            arena = smallest(works)
            if arena is None:
                return Outcome(None, f"the {name} does not run in {LARGEST >> 20} MiB")
            works(arena)
            made[output] = np.load(Path(folder) / "out.npy")
            notes.append(f"{name} {len(data) / 1024:.0f} KiB, arena {arena / 1024:.1f} KiB")
    images = np.clip(np.rint(made["image"]), 0, 255).astype(np.uint8)
    height, width = images.shape[1:3]
    return Outcome(Faces(images, in_pixels(made["landmarks"], width, height), latents), "; ".join(notes))


def smallest(works: Callable[[int], bool]) -> int | None:
    """The smallest arena in bytes, a multiple of `STEP`, that works; None where not even the largest one does."""
    low, high = 0, FIRST  # `low` does not work
    while not works(high):
        low, high = high, high * 4
        if high > LARGEST:
            return None
    while high - low > STEP:
        middle = (low + high) // 2 // STEP * STEP
        low, high = (low, middle) if works(middle) else (middle, high)
    return high
