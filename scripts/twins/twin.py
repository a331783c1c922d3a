"""A training of lmedge written in PyTorch, for `scripts/bench_training`: input from memory, mirroring and averaging are
here, networks and step in the file of the family. Prints images a second and MiB as JSON. Needs torch and numpy only.

usage: twin.py FAMILY FACES.npz WIDTH BATCH float32|bfloat16 STEPS

FACES.npz has `faces` uint8 [N, size, size, 3] and what the family needs: see its file.
"""

import copy
import importlib
import json
import sys
import time

import numpy as np
import torch
from memory import peak_mib

WARM_UP = 8


def main(family: str, data: dict[str, np.ndarray], width: int, batch: int, precision: str, steps: int) -> float:
    gan = importlib.import_module(family).Twin(data, width)
    average = copy.deepcopy(gan.generator)
    pairs = [list(network.parameters()) for network in (average, gan.generator)]
    random, start = np.random.default_rng(0), 0.0
    for step in range(WARM_UP + steps):
        if step == WARM_UP:
            start = time.perf_counter()
        some = random.integers(0, len(data["faces"]), batch)
        images = torch.from_numpy(data["faces"][some]).permute(0, 3, 1, 2)  # already channels last
        real = images.float().div_(127.5).sub_(1.0)
        flip = torch.rand(batch) > 0.5
        real = torch.where(flip[:, None, None, None], real.flip(3), real)
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
            gan.step(step, real, some, flip)
        with torch.no_grad():
            torch._foreach_lerp_(*pairs, 1e-3)
    return batch * steps / (time.perf_counter() - start)


if __name__ == "__main__":
    name, file, *numbers = sys.argv[1:]
    with np.load(file) as arrays:
        given = dict(arrays)
    rate = main(name, given, int(numbers[0]), int(numbers[1]), numbers[2], int(numbers[3]))
    print(json.dumps({"images_per_second": rate, "memory_mib": peak_mib(), "torch": torch.__version__}))
