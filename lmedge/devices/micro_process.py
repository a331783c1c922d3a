"""TFLite Micro in a process of its own, as an arena that is too small may end it.

`python -m lmedge.devices.micro_process ARENA_BYTES MODEL.tflite LATENTS.npy OUT.npy` reads latents `[N, Z]` and writes
the outputs of an int8 model as real numbers.
"""

import sys
from pathlib import Path

import numpy as np
from tflite_micro.python.tflite_micro import runtime


def main(arena: str, model: str, latents: str, out: str) -> None:
    """See the module."""
    interpreter = runtime.Interpreter.from_bytes(Path(model).read_bytes(), arena_size=int(arena))

    def scale(details: dict) -> tuple[float, int]:
        known = details["quantization_parameters"]
        return known["scales"][0], known["zero_points"][0]

    unit, zero = scale(interpreter.get_input_details(0))
    made = []
    for z in np.load(latents):
        interpreter.set_input(np.clip(np.rint(z[None] / unit) + zero, -128, 127).astype(np.int8), 0)
        interpreter.invoke()
        made.append(interpreter.get_output(0)[0].copy())
    unit, zero = scale(interpreter.get_output_details(0))
    np.save(out, (np.array(made, np.float32) - zero) * np.float32(unit))


if __name__ == "__main__":
    main(*sys.argv[1:])
