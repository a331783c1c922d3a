"""The Adam loop of `lmedge invert --preset paper` written in PyTorch, for `scripts/bench_inversion`: same generator,
same loss, z alone with a gradient. Prints face-steps a second as JSON. Needs torch and numpy only.

usage: inversion_twin.py WEIGHTS.npz FACES.npy float32|bfloat16 STEPS
"""

import json
import sys
import time

import numpy as np
import torch
from twins.began import Decoder

BATCH, RATE = 64, 0.1


def decoder(weights: dict[str, np.ndarray], size: int) -> Decoder:
    """The generator with the weights that Keras gave, in its order: dense, convolutions, RGB."""
    arrays = [torch.from_numpy(weights[f"arr_{i}"]) for i in range(len(weights))]
    width = arrays[0].shape[1] // 64
    network = Decoder(width, (size // 8).bit_length())
    # Keras reshapes the dense layer's output to [8, 8, n], the twin to [n, 8, 8].
    kernel, bias = arrays[0].view(-1, 8, 8, width), arrays[1].view(8, 8, width)
    network.dense.weight.data = kernel.permute(3, 1, 2, 0).reshape(64 * width, -1).contiguous()
    network.dense.bias.data = bias.permute(2, 0, 1).reshape(-1).contiguous()
    for conv, kernel, bias in zip([*network.convs, network.rgb], arrays[2::2], arrays[3::2], strict=True):
        conv.weight.data, conv.bias.data = kernel.permute(3, 2, 0, 1).contiguous(), bias
    return network.to(memory_format=torch.channels_last).requires_grad_(False)


def main(weights: str, faces: np.ndarray, precision: str, steps: int) -> dict[str, float]:
    with np.load(weights) as arrays:
        network = decoder(dict(arrays), faces.shape[1])
    real = torch.from_numpy(faces[:BATCH]).permute(0, 3, 1, 2)
    z = (torch.rand(BATCH, network.dense.in_features) * 2 - 1).requires_grad_()
    m, v = torch.zeros_like(z), torch.zeros_like(z)
    errors, start = None, 0.0
    for step in range(-3, steps):
        if step == 0:
            start = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
            images = network(z)
        errors = (images.float() - real).square().mean(dim=(1, 2, 3))
        (gradient,) = torch.autograd.grad(errors.sum(), z)
        with torch.no_grad():
            t = step + 4
            m.mul_(0.9).add_(gradient, alpha=0.1)
            v.mul_(0.999).addcmul_(gradient, gradient, value=0.001)
            z -= RATE * (m / (1 - 0.9**t)) / ((v / (1 - 0.999**t)).sqrt() + 1e-8)
            z.copy_(torch.where(z.abs() > 1, torch.rand_like(z) * 2 - 1, z))
    rate = BATCH * steps / (time.perf_counter() - start)
    check = network(torch.zeros(1, network.dense.in_features))[0].mean().item()
    return {"face_steps_per_second": rate, "image_of_zero": check}


if __name__ == "__main__":
    figures = main(sys.argv[1], np.load(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
    print(json.dumps({**figures, "torch": torch.__version__}))
