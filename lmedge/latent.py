"""What a latent is: its blocks of numbers, how each is drawn, where it ends, and whether inversion searches it.

Written into runs, models and bundles, and obeyed by every sampler: here, in Kotlin, and in JavaScript. Needs no more
than NumPy, as it runs on the device.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmedge.block import LARGEST, WHAT, Block, Latents
from lmedge.bounds import require_seed, require_whole
from lmedge.errors import LmedgeError, UsageError, nearest
from lmedge.landmarks import Array
from lmedge.seeds import Purpose
from lmedge.storage import check_form

# Of an attribute that all draws have. Photos often have a plain yes or no, and the part of a mixture that has nothing
# else would explain an exact 1 best: who smiles exactly is a woman.
TOLERANCE = 0.4
FURTHEST = 1 << 48  # face of a seed, so that its number times the length of a latent stays below 2^64

# SplitMix64 (Steele, Lea, Flood 2014): a counter through a mixing function. A dozen lines in any language
# that has 64-bit integers, and face i of a seed does not depend on how many are drawn.
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MASK = (1 << 64) - 1


def _mixed(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def numbers(count: int, length: int, seed: int, first: int = 0) -> NDArray[np.uint32]:
    """Rows `first` to `first + count` of `length` random numbers below 2^24, the same on every platform.

    Number j of row i is number `i * length + j` of SplitMix64 seeded with the mix of `seed`: its upper 24 bits, which a
    float32 holds exactly. Raises UsageError for a seed that is not of 64 bits, and for numbers below 0.
    """
    seed = require_seed("seed", seed)
    count, first = require_whole("count", count, 0), require_whole("first", first, 0, FURTHEST)
    start = _mixed(np.array([(seed + int(_GOLDEN)) & _MASK], dtype=np.uint64))
    counter = np.arange(first * length, (first + count) * length, dtype=np.uint64) + np.uint64(1)
    return (_mixed(start + counter * _GOLDEN) >> np.uint64(40)).astype(np.uint32).reshape(count, length)


def uniform(count: int, length: int, seed: int, first: int = 0) -> Latents:
    """Rows of numbers uniform in -1..1, `[count, length]`; see `numbers`."""
    return numbers(count, length, seed, first).astype(np.float32) / np.float32(1 << 23) - np.float32(1)


@dataclass(frozen=True)
class LatentSpec:
    """The blocks of a latent, in their order. Raises UsageError for blocks of which nothing can be drawn."""

    blocks: tuple[Block, ...]
    fixed: tuple[tuple[str, float], ...] = ()  # attributes that every draw has; written nowhere

    def __post_init__(self) -> None:
        for block in self.blocks:
            block.check()
        if not 0 < self.size <= LARGEST:
            raise UsageError(f"a latent has {self.size} numbers; take 1 to {LARGEST}.")
        names = [block.name for block in self.blocks]
        if len(set(names)) < len(names):
            raise UsageError(f"a latent has two blocks of one name ({', '.join(names):.200}); name each differently.")
        for first, *joint in self.together:
            size = sum(block.size for block in (first, *joint))
            drawn = first.size if first.mixture is None else first.mixture.size
            if first.distribution == "joint" or drawn != size:
                raise UsageError(
                    f"the latent's block {first.name} is drawn with {size} numbers, of {drawn}: joint "
                    "blocks stand behind the mixture that they are a part of."
                )

    @classmethod
    def uniform(cls, size: int) -> "LatentSpec":
        """One block, uniform in -1..1: what BEGAN draws from."""
        return cls((Block("z", size),))

    @cached_property
    def size(self) -> int:
        """Z, the numbers of a latent."""
        return sum(block.size for block in self.blocks)

    @cached_property
    def low(self) -> Latents:
        """`[Z]`: the least that each number may be."""
        return self._each("low", np.float32)

    @cached_property
    def high(self) -> Latents:
        """`[Z]`: the most that each number may be."""
        return self._each("high", np.float32)

    @cached_property
    def searched(self) -> NDArray[np.bool_]:
        """`[Z]`: does inversion look for this number?"""
        return self._each("searched", np.bool_)

    @cached_property
    def middle(self) -> Latents:
        """`[Z]`: the latent that half of the draws lie below, in each number."""
        return self._each("middle", np.float32)

    @cached_property
    def unit(self) -> Latents:
        """`[Z]`: about how far draws lie from the middle, in each number. Steps are measured in it."""
        units: list[float] = []
        for together in self.together:
            begin = len(units)
            for block in together:
                units += [together[0].unit(len(units) - begin, block.size)] * block.size
        return np.array(units, np.float32)

    @cached_property
    def together(self) -> list[list[Block]]:
        """Blocks that are drawn together: one, and the joint ones behind it."""
        found: list[list[Block]] = []
        for block in self.blocks:
            if block.distribution == "joint" and found:
                found[-1].append(block)
            else:
                found.append([block])
        return found

    @property
    def shape(self) -> Block | None:
        """The block that asks for landmarks, if there is one."""
        return next((block for block in self.blocks if block.shapes is not None), None)

    @cached_property
    def asks(self) -> NDArray[np.bool_]:
        """`[Z]`: does this number ask for something that is seen on photos?"""
        return self._each("asks", np.bool_)

    @property
    def attributes(self) -> tuple[str, ...]:
        """The names of what can be asked for beside landmarks; none where no block asks."""
        return next((block.attributes for block in self.blocks if block.attributes is not None), ())

    def _each(self, name: str, kind: Any) -> NDArray[Any]:
        return np.concatenate([np.full(block.size, getattr(block, name), kind) for block in self.blocks])

    def draw(self, count: int, seed: int = 0, first: int = 0, purpose: Purpose = Purpose.SAMPLES) -> Latents:
        """Latents `first` to `first + count` of this seed, `[count, Z]`. Raises UsageError as `numbers` does."""
        of = numbers(count, self.size, purpose.seed(require_seed("seed", seed)), first)
        return self._drawn(lambda block, part: block.drawn(part), of)

    def quantile(self, share: NDArray[np.float64]) -> Latents:
        """Latents `[..., Z]` from evenly spread numbers 0..1, for who draws these otherwise than by `draw`."""
        return self._drawn(lambda block, part: block.quantile(part), share)

    def _drawn(self, draw: Callable[[Block, NDArray[Any]], NDArray[np.float64]], of: NDArray[Any]) -> Latents:
        """Latents from numbers `of` `[..., Z]`, of which `draw` makes those of blocks that are drawn together."""
        z = np.empty(of.shape, np.float32)
        for at, block, values in self._drawers:
            free = np.isnan(values)
            z[..., at[~free]] = values[~free]
            if free.any():
                z[..., at[free]] = draw(block, of[..., at[free]])
        return self.clip(z)

    @cached_property
    def _drawers(self) -> list[tuple[NDArray[np.int64], Block, NDArray[np.float64]]]:
        """What is drawn together: which numbers of the latent, the block whose distribution they have, and the values
        of those that are fixed, NaN for all others, which are drawn as they go with these."""
        found, begin, fixed = [], 0, dict(self.fixed)
        for first, *joint in self.together:
            names = [name for block in (first, *joint) for name in block.attributes or [None] * block.size]
            values = np.array([fixed.get(name, np.nan) for name in names])  # type: ignore[arg-type]
            known, block = ~np.isnan(values), first
            if known.any() and not known.all() and first.mixture is not None:
                block = replace(first, mixture=first.mixture.given(known, values[known], TOLERANCE))
            found.append((np.arange(begin, begin + len(names)), block, values))
            begin += len(names)
        return found

    def fixing(self, attributes: Mapping[str, float], whose: object, option: str) -> "LatentSpec":
        """Such latents, all of which have these values, -1..1, of `attributes`, and what else goes with them on photos.
        Raises UsageError, which names the `option`, for what latents of the model `whose` cannot be asked for."""
        if attributes and not self.attributes:
            raise UsageError(
                f"{option}: faces of {whose} cannot be asked for by attributes, as its latents have none; take a model "
                "that was trained with --attributes."
            )
        for name in attributes:
            if name not in self.attributes:
                raise UsageError(
                    f"{option} {name}: faces of {whose} cannot be asked for that; {nearest(name, self.attributes)}"
                )
        return replace(self, fixed=tuple(attributes.items()))

    def setting(self, z: Latents, attributes: Mapping[str, float]) -> Latents:
        """Latents `[..., Z]` with these values of attributes that it has; all else stays as it is."""
        z = z.copy()
        for block, part in zip(self.blocks, self._parts(z), strict=True):
            for i, name in enumerate(block.attributes or ()):
                part[..., i] = attributes.get(name, part[..., i])
        return z

    def shown(self, z: Latents) -> Latents:
        """The attributes `[..., A]` that latents `[..., Z]` ask for."""
        parts = zip(self.blocks, self._parts(z), strict=True)
        return next((part for block, part in parts if block.attributes is not None), z[..., :0])

    def holding(self, held: Callable[[Block], bool]) -> "LatentSpec":
        """Such latents, of which inversion takes the blocks as given that are `held`."""
        return replace(self, blocks=tuple(replace(b, searched=b.searched and not held(b)) for b in self.blocks))

    def clip(self, z: Latents) -> Latents:
        """Latents `[..., Z]` brought inside of the bounds."""
        return np.clip(z, self.low, self.high)

    def truncated(self, z: Latents, truncation: Mapping[str, float]) -> Latents:
        """Latents `[..., Z]` whose numbers are moved towards the middle, in each block to the share of their distance
        from it that `truncation` has by its name: more usual faces, that differ less. The same in single precision on
        every platform."""
        shares = [truncation.get(block.name, 1.0) for block in self.blocks]
        share = np.repeat(np.array(shares, np.float32), [block.size for block in self.blocks])
        return np.where(share == 1, z, self.clip(self.middle + (z - self.middle) * share))

    def by_block(self, truncation: float) -> dict[str, float]:
        """What one number asks of each block: those that ask for landmarks or attributes are drawn as they are, so that
        heads turn, mouths open and people wear glasses as on the photos."""
        return {block.name: truncation for block in self.blocks if not block.asks}

    def split(self, z: Latents) -> dict[str, Latents]:
        """Latents `[..., Z]` by block: name -> `[..., size]`."""
        return {block.name: part for block, part in zip(self.blocks, self._parts(z), strict=True)}

    def join(self, parts: dict[str, Latents]) -> Latents:
        """The inverse of `split`. Raises UsageError where a block is missing or of another size."""
        for block in self.blocks:
            if block.name not in parts or parts[block.name].shape[-1] != block.size:
                raise UsageError(f"the latent's block {block.name!r} must be given with {block.size} numbers.")
        return self._joined([np.asarray(parts[block.name], np.float32) for block in self.blocks])

    def with_shape(self, z: Latents, shape: Latents) -> Latents:
        """Latents `[..., Z]` that ask for the landmarks of `shape`, which broadcasts to `[..., n]`: all else stays."""
        parts, block = self.split(z), self.shape
        assert block is not None
        return self.join({**parts, block.name: np.broadcast_to(shape, parts[block.name].shape)})

    def asked(self, z: Latents) -> Array | None:
        """Normalised landmarks `[..., K, 2]` that latents `[..., Z]` ask for; None where no block asks for any."""
        if (block := self.shape) is None or block.shapes is None:
            return None
        return block.shapes.landmarks(self.split(z)[block.name])

    def asking(self, z: Latents, landmarks: Array) -> Latents:
        """Latents `[..., Z]` that ask for what comes nearest to normalised landmarks `[..., K, 2]`, as they are where
        no block asks for any."""
        if (block := self.shape) is None or block.shapes is None:
            return z
        return self.with_shape(z, np.clip(block.shapes.latents(landmarks), block.low, block.high))

    def _joined(self, parts: list[Latents]) -> Latents:
        return np.concatenate(parts, axis=-1)

    def _parts(self, z: NDArray[Any]) -> list[NDArray[Any]]:
        return np.split(z, np.cumsum([block.size for block in self.blocks])[:-1], axis=-1)

    def to_json(self) -> dict[str, Any]:
        """As runs, models and bundles have it."""
        return {"size": self.size, "blocks": [block.to_json() for block in self.blocks]}

    @classmethod
    def from_json(cls, value: Any, where: str) -> "LatentSpec":
        """The inverse of `to_json`; `where` it stands. Raises LmedgeError."""
        check_form({"latent": value}, {"latent": {"size": int, "blocks": list}}, where, WHAT)
        try:
            spec = cls(tuple(Block.from_json(block, where) for block in value["blocks"]))
        except UsageError as error:
            raise LmedgeError(f"{where}: {error}") from None
        if spec.size != value["size"]:
            raise LmedgeError(f"{where}: its latent has {value['size']!r:.60} numbers and blocks of {spec.size}.")
        return spec

    def __str__(self) -> str:
        """`64 numbers, uniform in -1..1`"""
        if len(self.blocks) == 1:
            return f"{self.size} numbers, {self.blocks[0]}"
        return f"{self.size} numbers: " + ", ".join(f"{b.name} {b.size} {b}" for b in self.blocks)


def between(first: Latents, last: Latents, steps: int) -> Latents:
    """Latents `[steps, Z]` on the straight line from `first` to `last` `[Z]`, both included. The line stays inside of
    the bounds."""
    share = np.linspace(0, 1, steps, dtype=np.float32)[:, None]
    return (first * (1 - share) + last * share).astype(np.float32)


def around(spec: LatentSpec, centres: Latents, moves: Latents, radius: float) -> Latents:
    """Neighbours `[N, Z]` of latents that broadcast to `[N, Z]`: moved by `radius` units of `spec` times `moves`
    (-1..1), inside of the bounds."""
    return spec.clip(centres + np.float32(radius) * spec.unit * moves)
