"""The training of lmedge written in PyTorch, for `scripts/bench_training`: same networks, same joint step, same
averaging, mirroring and input from memory. Prints images a second as JSON. Needs torch and numpy only.

usage: torch_twin.py FACES.npy WIDTH float32|bfloat16 STEPS
"""

import json
import sys
import time

import numpy as np
import torch
from torch import nn
from torch.nn import functional

BATCH, LATENT, WARM_UP = 16, 64, 5


class Decoder(nn.Module):
    def __init__(self, width: int, stages: int):
        super().__init__()
        self.width = width
        self.dense = nn.Linear(LATENT, 64 * width)
        self.convs = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in range(2 * stages))
        self.rgb = nn.Conv2d(width, 3, 3, padding=1)

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        x = self.dense(z).view(-1, self.width, 8, 8).contiguous(memory_format=torch.channels_last)
        for i, conv in enumerate(self.convs):
            if i and i % 2 == 0:
                x = functional.interpolate(x, scale_factor=2, mode="nearest")
            x = functional.elu(conv(x))
        return self.rgb(x)


class Discriminator(nn.Module):
    def __init__(self, width: int, stages: int):
        super().__init__()
        layers = [nn.Conv2d(3, width, 3, padding=1)]
        for i in range(stages):
            filters = width * (i + 1)
            layers += [nn.Conv2d(filters, filters, 3, padding=1) for _ in range(2)]
            if i + 1 < stages:
                layers.append(nn.Conv2d(filters, filters + width, 3, 2, padding=1))
        self.convs = nn.ModuleList(layers)
        self.code = nn.Linear(64 * width * stages, LATENT)
        self.decoder = Decoder(width, stages)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for conv in self.convs:
            x = functional.elu(conv(x))
        return self.decoder(self.code(x.flatten(1)))


def main(faces: np.ndarray, width: int, precision: str, steps: int) -> float:
    stages = (faces.shape[1] // 8).bit_length()
    g, average = Decoder(width, stages), Decoder(width, stages)
    d = Discriminator(width, stages)
    for network in (g, d, average):
        network.to(memory_format=torch.channels_last)
    adam_g, adam_d = (torch.optim.Adam(n.parameters(), 1e-4, (0.5, 0.999), foreach=True) for n in (g, d))
    d_weights = list(d.parameters())
    random, k = np.random.default_rng(0), 0.0
    start = 0.0
    for step in range(WARM_UP + steps):
        if step == WARM_UP:
            start = time.perf_counter()
        images = torch.from_numpy(faces[random.integers(0, len(faces), BATCH)]).permute(0, 3, 1, 2)
        real = images.float().div_(127.5).sub_(1.0)  # already channels last
        flip = torch.rand(BATCH, 1, 1, 1) > 0.5
        real = torch.where(flip, real.flip(3), real)
        z = torch.rand(BATCH, LATENT) * 2 - 1
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
            fake = g(z)
            seen = fake.detach().float().requires_grad_()
            loss_fake = (seen - d(seen).float()).abs().mean()
            loss_real = (real - d(real).float()).abs().mean()
        fake_gradients = torch.autograd.grad(loss_fake, [seen, *d_weights])
        real_gradients = torch.autograd.grad(loss_real, d_weights)
        fake.backward(fake_gradients[0].to(fake.dtype))
        for weight, of_real, of_fake in zip(d_weights, real_gradients, fake_gradients[1:], strict=True):
            weight.grad = of_real - k * of_fake
        adam_g.step()
        adam_d.step()
        adam_g.zero_grad(set_to_none=True)
        k = min(max(k + 1e-3 * (0.5 * loss_real.item() - loss_fake.item()), 0.0), 1.0)
        with torch.no_grad():
            torch._foreach_lerp_(list(average.parameters()), list(g.parameters()), 1e-3)
    return BATCH * steps / (time.perf_counter() - start)


if __name__ == "__main__":
    rate = main(np.load(sys.argv[1]), int(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
    print(json.dumps({"images_per_second": rate, "torch": torch.__version__}))
