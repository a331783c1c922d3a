"""This machine, with each interpreter that is installed."""

import platform
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lmedge.devices.device import ROOT, Outcome, Unavailable, rendered
from lmedge.runtime.interpreter import INTERPRETERS, installed
from lmedge.variants import InterpreterName


class Native:
    """A process of its own: tflite-runtime does not work beside TensorFlow."""

    def __init__(self, interpreter: InterpreterName):
        self.interpreter = interpreter
        self.name = f"{platform.machine().replace('_', '-')} {INTERPRETERS[interpreter][1]}"

    def outcomes(self, models: dict[str, Path], latents: NDArray[np.float32]) -> dict[str, Outcome]:
        """See Device."""
        if self.interpreter not in installed():
            raise Unavailable(f"{INTERPRETERS[self.interpreter][1]} is not installed")
        return rendered([sys.executable], {"PYTHONPATH": str(ROOT)}, self.interpreter, models, latents)
