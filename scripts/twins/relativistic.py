"""The relativistic family in PyTorch, for `twin.py`: same networks, same joint step, R1 and R2 in turn.

Of FACES.npz it needs `landmarks` [N, K, 2], normalised, `swap` [K] (which one takes the place of which in a mirror),
and `mean`, `inverse` and `unit` of the shape block.
"""

import math
from itertools import pairwise

import numpy as np
import torch
from torch import nn
from torch.nn import functional

PERSON, FEATURES, BASE, GAMMA, EVERY, FURTHEST, RATE = 64, 128, 4, 0.1, 8, 20.0, 5e-4
GENERATOR = {8: 2.4, 16: 1.6, 32: 1.0, 64: 0.6, 128: 0.4}  # filters in n, by resolution
DISCRIMINATOR = {4: 4.8, 8: 3.2, 16: 2.4, 32: 1.2, 64: 0.6, 128: 0.4}


def filters(width: int, share: float) -> int:
    return max(8, 8 * round(width * share / 8))


def leaky(x: torch.Tensor) -> torch.Tensor:
    return functional.leaky_relu(x, 0.2)


def sides(size: int) -> list[int]:
    """Resolutions above the smallest one, up to half of the image's."""
    return [2**i for i in range(3, size.bit_length() - 1)]


class Stage(nn.Module):
    """Twice the resolution."""

    def __init__(self, before: int, units: int, latent: int):
        super().__init__()
        self.conv = nn.Conv2d(before, units, 3, padding=1)
        self.scale = nn.Linear(latent, units)
        nn.init.ones_(self.scale.bias)
        self.more = nn.Conv2d(units, units, 3, padding=1)

    def forward(self, x: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
        x = functional.relu6(self.conv(functional.interpolate(x, scale_factor=2, mode="nearest")))
        return x + functional.relu6(self.more(x * self.scale(z)[:, :, None, None]))


class Generator(nn.Module):
    def __init__(self, size: int, width: int, latent: int):
        super().__init__()
        units = [filters(width, GENERATOR[side]) for side in sides(size)]
        self.dense = nn.Linear(latent, BASE * BASE * units[0])
        pairs = zip([units[0], *units], units, strict=False)
        self.stages = nn.ModuleList(Stage(before, after, latent) for before, after in pairs)
        self.rgb = nn.Conv2d(units[-1], 12, 3, padding=1)

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        x = self.dense(z).view(len(z), BASE, BASE, -1).permute(0, 3, 1, 2)  # channels last
        for stage in self.stages:
            x = stage(x, z)
        return functional.pixel_shuffle(self.rgb(x), 2)


class Block(nn.Module):
    """Half the resolution."""

    def __init__(self, before: int, units: int):
        super().__init__()
        self.conv = nn.Conv2d(before, before, 3, padding=1)
        self.down = nn.Conv2d(before, units, 3, 2, padding=1)
        self.shortcut = nn.Conv2d(before, units, 1, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = leaky(self.down(leaky(self.conv(x))))
        return (self.shortcut(functional.avg_pool2d(x, 2)) + h) * math.sqrt(0.5)


class Discriminator(nn.Module):
    def __init__(self, size: int, width: int, shape: int, unit: float):
        super().__init__()
        self.unit = unit
        units = [filters(width, DISCRIMINATOR[side]) for side in (BASE, *sides(size))][::-1]
        self.first = nn.Conv2d(12, units[0], 3, padding=1)
        self.blocks = nn.ModuleList(Block(*pair) for pair in pairwise(units))
        self.last = nn.Conv2d(units[-1], units[-1], 3, padding=1)
        self.features = nn.Linear(BASE * BASE * units[-1], FEATURES)
        self.verdict = nn.Linear(FEATURES, 1)
        self.code = nn.Sequential(nn.Linear(shape, FEATURES), nn.LeakyReLU(0.2), nn.Linear(FEATURES, FEATURES))

    def forward(self, images: torch.Tensor, shape: torch.Tensor) -> torch.Tensor:
        x = leaky(self.first(functional.pixel_unshuffle(images, 2)))
        for block in self.blocks:
            x = block(x)
        h = leaky(self.features(leaky(self.last(x)).flatten(1)))
        with torch.autocast("cpu", enabled=False):
            h = h.float()
            return self.verdict(h)[:, 0] + (self.code(shape / self.unit) * h).sum(1) / math.sqrt(FEATURES)


class Twin:
    """Generator and discriminator, and what a step does with them."""

    def __init__(self, data: dict[str, np.ndarray], width: int):
        self.landmarks, self.mean, self.inverse = (torch.from_numpy(data[n]) for n in ("landmarks", "mean", "inverse"))
        self.swap = torch.from_numpy(data["swap"])
        size, shape = data["faces"].shape[1], data["inverse"].shape[1]
        self.generator = Generator(size, width, PERSON + shape)
        self.d = Discriminator(size, width, shape, float(data["unit"]))
        for network in (self.generator, self.d):
            network.to(memory_format=torch.channels_last)
        self.adam_g, self.adam_d = (
            torch.optim.Adam(n.parameters(), RATE, (0.0, 0.99), 1e-7, foreach=True) for n in (self.generator, self.d)
        )
        self.slopes = [0.0, 0.0]

    def asked(self, some: np.ndarray, flip: torch.Tensor) -> torch.Tensor:
        """The shape block of these faces, half of them mirrored."""
        landmarks = self.landmarks[some]
        mirrored = landmarks[:, self.swap] * torch.tensor([-1.0, 1.0]) + torch.tensor([1.0, 0.0])
        flat = torch.where(flip[:, None, None], mirrored, landmarks).flatten(1)
        with torch.autocast("cpu", enabled=False):
            return ((flat - self.mean) @ self.inverse).clamp_(-1, 1)

    def step(self, step: int, real: torch.Tensor, some: np.ndarray, flip: torch.Tensor) -> None:
        shape = self.asked(some, flip)
        z = torch.cat([torch.rand(len(real), PERSON) * 2 - 1, shape], 1)
        self.learn(step, real, z, shape)

    def learn(self, step: int, real: torch.Tensor, z: torch.Tensor, shape: torch.Tensor) -> tuple[float, float, float]:
        """Returns the losses of D and G, and the share of pairs in which D is right."""
        count, d_weights = len(real), list(self.d.parameters())
        fake = self.generator(z)
        drawn = fake.detach().float()
        both = torch.cat([real, drawn]).requires_grad_()
        verdicts = self.d(both, torch.cat([shape, shape]))
        difference = (verdicts[:count] - verdicts[count:]).detach().clamp_(-FURTHEST, FURTHEST)
        slope = torch.sigmoid(-difference) / count
        *gradients, image = torch.autograd.grad(verdicts, [*d_weights, both], torch.cat([-slope, slope]))
        fake.backward((image[count:] * -difference.exp()[:, None, None, None]).to(fake.dtype))
        for weight, gradient in zip(d_weights, gradients, strict=True):
            weight.grad = gradient
        for i, images in enumerate((real, drawn)):
            if step % EVERY == i * EVERY // 2:
                self.slopes[i] = self.penalise(images, shape)
        self.adam_d.step()
        self.adam_g.step()
        self.adam_g.zero_grad(set_to_none=True)
        loss_d, loss_g = functional.softplus(-difference).mean(), functional.softplus(difference).mean()
        return loss_d.item(), loss_g.item(), (difference > 0).float().mean().item()

    def penalise(self, images: torch.Tensor, shape: torch.Tensor) -> float:
        """Adds the gradients of a penalty to those of D's weights; returns the squared slope."""
        images = images.detach().requires_grad_()
        (slopes,) = torch.autograd.grad(self.d(images, shape).sum(), images, create_graph=True)
        squared = slopes.square().sum([1, 2, 3]).mean()
        weights = list(self.d.parameters())
        more = torch.autograd.grad(GAMMA / 2 * EVERY * squared, weights, allow_unused=True)
        for weight, gradient in zip(weights, more, strict=True):
            if gradient is not None:
                weight.grad += gradient
        return squared.item()
