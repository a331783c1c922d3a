"""Faces of given latents on the interpreter of this machine: `python -m lmedge.runtime.rendering`.

For checks across devices. Reads a request as JSON from standard input: `models` (name -> .tflite), `interpreter`,
`latents` (rows of numbers), `out` (a folder). Writes NAME.npz for each model that runs and prints one line of JSON for
each: name and null, or the sentence with which it was refused.
"""

import json
import sys
from pathlib import Path

import numpy as np

from lmedge.errors import LmedgeError
from lmedge.runtime.sampler import FaceSampler


def main() -> None:
    """See the module."""
    request = json.load(sys.stdin)
    latents = np.array(request["latents"], np.float32)
    for name, model in request["models"].items():
        refused = None
        try:
            faces = FaceSampler(model, interpreter=request["interpreter"], threads=1).render(latents)
            np.savez(Path(request["out"]) / f"{name}.npz", **faces.arrays())
        except LmedgeError as error:
            refused = str(error)
        print(json.dumps([name, refused]), flush=True)


if __name__ == "__main__":
    main()
