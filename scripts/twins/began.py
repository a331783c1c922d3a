"""BEGAN in PyTorch, for `twin.py`: same networks, same joint step."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional

LATENT = 64


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


class Twin:
    """Generator and discriminator, and what a step does with them."""

    def __init__(self, data: dict[str, np.ndarray], width: int):
        stages = (data["faces"].shape[1] // 8).bit_length()
        self.generator, self.d, self.k = Decoder(width, stages), Discriminator(width, stages), 0.0
        for network in (self.generator, self.d):
            network.to(memory_format=torch.channels_last)
        self.adam_g, self.adam_d = (
            torch.optim.Adam(n.parameters(), 1e-4, (0.5, 0.999), foreach=True) for n in (self.generator, self.d)
        )

    def step(self, step: int, real: torch.Tensor, some: np.ndarray, flip: torch.Tensor) -> None:
        d_weights = list(self.d.parameters())
        fake = self.generator(torch.rand(len(real), LATENT) * 2 - 1)
        seen = fake.detach().float().requires_grad_()
        loss_fake = (seen - self.d(seen).float()).abs().mean()
        loss_real = (real - self.d(real).float()).abs().mean()
        fake_gradients = torch.autograd.grad(loss_fake, [seen, *d_weights])
        real_gradients = torch.autograd.grad(loss_real, d_weights)
        fake.backward(fake_gradients[0].to(fake.dtype))
        for weight, of_real, of_fake in zip(d_weights, real_gradients, fake_gradients[1:], strict=True):
            weight.grad = of_real - self.k * of_fake
        self.adam_g.step()
        self.adam_d.step()
        self.adam_g.zero_grad(set_to_none=True)
        self.k = min(max(self.k + 1e-3 * (0.5 * loss_real.item() - loss_fake.item()), 0.0), 1.0)
