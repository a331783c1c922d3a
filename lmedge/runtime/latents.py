"""Seeded latents that every platform draws alike, and the lines between them."""

import numpy as np
from numpy.typing import NDArray

from lmedge.bounds import require_seed, require_whole

# SplitMix64 (Steele, Lea, Flood 2014): a counter through a mixing function. A dozen lines in any language
# that has 64-bit integers, and face i of a seed does not depend on how many are drawn.
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MASK = (1 << 64) - 1
FURTHEST = 1 << 48  # face of a seed, so that its number times the length of a latent stays below 2^64


def _mixed(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def prior(count: int, latent: int, seed: int, first: int = 0) -> NDArray[np.float32]:
    """Latents `first` to `first + count` of this seed, uniform in -1..1: `[count, latent]`.

    Component j of latent i is number `i * latent + j` of SplitMix64 seeded with the mix of `seed`; its upper
    24 bits make the float, so the value is exact. Raises UsageError for a seed that is not of 64 bits, and for numbers
    below 0.
    """
    seed = require_seed("seed", seed)
    count, first = require_whole("count", count, 0), require_whole("first", first, 0, FURTHEST)
    start = _mixed(np.array([(seed + int(_GOLDEN)) & _MASK], dtype=np.uint64))
    counter = np.arange(first * latent, (first + count) * latent, dtype=np.uint64) + np.uint64(1)
    numbers = _mixed(start + counter * _GOLDEN) >> np.uint64(40)
    uniform = numbers.astype(np.float32) / np.float32(1 << 23) - np.float32(1)
    return uniform.reshape(count, latent)


def between(first: NDArray[np.float32], last: NDArray[np.float32], steps: int) -> NDArray[np.float32]:
    """Latents `[steps, Z]` on the straight line from `first` to `last` `[Z]`, both included. The line stays
    in the cube that the prior fills."""
    share = np.linspace(0, 1, steps, dtype=np.float32)[:, None]
    return (first * (1 - share) + last * share).astype(np.float32)


def around(centres: NDArray[np.float32], moves: NDArray[np.float32], radius: float) -> NDArray[np.float32]:
    """Neighbours `[N, Z]` of latents that broadcast to `[N, Z]`: moved by `radius` times `moves` (-1..1), inside of the
    cube that the prior fills."""
    return np.clip(centres + np.float32(radius) * moves, -1, 1)
