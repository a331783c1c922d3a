"""The blocks that a latent is made of. Needs no more than NumPy, as it runs on the device."""

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from lmedge import mixture, shapes
from lmedge.attribute_names import check_names
from lmedge.errors import LmedgeError, UsageError
from lmedge.mixture import SMALLEST_SHARE, Mixture
from lmedge.quantiles import normal
from lmedge.shapes import ShapeSpace
from lmedge.storage import check_form

Latents = NDArray[np.float32]
Distribution = Literal["uniform", "normal", "mixture", "joint"]
LARGEST = 4096  # numbers of a latent
LONGEST_NAME = 60
BOUND = 1e6  # beyond which no block ends
FORM = {"name": str, "size": int, "distribution": str, "low": float, "high": float, "searched": bool}
WHAT = "a description of latents"


@dataclass(frozen=True)
class Block:
    """Numbers of a latent that belong together.

    `distribution`: "uniform" in `low`..`high`; or "normal" (mean 0, deviation 1), or a `mixture` of normal ones, cut
    off at `low` and `high`: what lies beyond is put on the bound. A "joint" block is drawn with the one before it, of
    whose mixture it has the further numbers: what goes together on photos is drawn together. `searched`: inversion
    looks for these numbers; otherwise it takes them as given. `shapes`: the landmarks that the numbers ask for, where
    they do. `attributes`: the names of what they ask for, 1 for yes and -1 for no, where they do.
    """

    name: str
    size: int
    distribution: Distribution = "uniform"
    low: float = -1.0
    high: float = 1.0
    searched: bool = True
    mixture: Mixture | None = None
    shapes: ShapeSpace | None = None
    attributes: tuple[str, ...] | None = None

    @property
    def asks(self) -> bool:
        """Does it ask for something that is seen on photos?"""
        return self.shapes is not None or self.attributes is not None

    def drawn(self, of: NDArray[np.uint32]) -> NDArray[np.float64]:
        """Its numbers, and those of joint blocks behind it, `[..., n]`, from random ones below 2^24; see
        `quantile`."""
        half = 0.0 if self.distribution == "uniform" else 0.5  # a normal number has no first and no last
        return self.quantile((of + half) / (1 << 24))

    def quantile(self, share: NDArray[np.float64]) -> NDArray[np.float64]:
        """Its numbers, and those of joint blocks behind it, `[..., n]`, from evenly spread ones 0..1. They are not
        cut off yet."""
        if self.mixture is not None:
            return self.mixture.quantile(share)
        if self.distribution == "normal":
            return normal(np.clip(share, SMALLEST_SHARE, 1 - SMALLEST_SHARE))
        return self.low + share * (self.high - self.low)

    @property
    def middle(self) -> float:
        """The number that about half of the draws lie below."""
        return (self.low + self.high) / 2 if self.distribution == "uniform" else min(max(0.0, self.low), self.high)

    def unit(self, first: int = 0, size: int | None = None) -> float:
        """About how far its numbers lie from the middle: half of the width of what is uniform, a deviation of others.
        Of `size` joint numbers that begin behind `first` of its mixture, where these are given."""
        if self.mixture is not None:
            some = self.mixture.deviations[first : first + (size or self.size)]
            return float(np.sqrt(np.mean(some**2)))
        return 1.0 if self.distribution == "normal" else (self.high - self.low) / 2

    def check(self) -> None:
        """Raises UsageError for a block of which nothing can be drawn."""
        if not (self.name and self.name.isprintable() and len(self.name) <= LONGEST_NAME):
            raise UsageError(f"a latent's block is named {self.name!r:.60}, which is no name.")
        if self.distribution not in get_args(Distribution):
            raise UsageError(f"the latent's block {self.name} is {self.distribution!r:.60}, which cannot be drawn.")
        inside = -BOUND <= self.low < self.high <= BOUND and np.float32(self.low) < np.float32(self.high)
        if not (0 < self.size <= LARGEST and inside):
            raise UsageError(
                f"the latent's block {self.name} has {self.size!s:.60} numbers in {self.low:g}..{self.high:g}; take 1 "
                f"to {LARGEST} in bounds within {-BOUND:g}..{BOUND:g}."
            )
        if (self.mixture is not None) != (self.distribution == "mixture"):
            raise UsageError(f"the latent's block {self.name} is {self.distribution} and says no mixture, or too much.")
        if self.mixture is not None:
            self.mixture.check()
        if self.shapes is not None:
            self.shapes.check()
            if self.shapes.size != self.size:
                raise UsageError(
                    f"the latent's block {self.name} has {self.size} numbers and shapes of {self.shapes.size}."
                )
        if self.attributes is not None:
            try:
                check_names(self.attributes, f"the latent's block {self.name}")
            except LmedgeError as error:
                raise UsageError(str(error)) from None
            if len(self.attributes) != self.size or (self.low, self.high) != (-1, 1):
                raise UsageError(
                    f"the latent's block {self.name} has {self.size} numbers in {self.low:g}..{self.high:g} for "
                    f"{len(self.attributes)} attributes in -1..1."
                )

    def to_json(self) -> dict[str, Any]:
        """As runs, models and bundles have it."""
        about: dict[str, Any] = {name: getattr(self, name) for name in FORM}
        for name in _PARTS:
            if (part := getattr(self, name)) is not None:
                about[name] = list(part) if isinstance(part, tuple) else part.to_json()
        return about

    @classmethod
    def from_json(cls, value: Any, where: str) -> "Block":
        """The inverse of `to_json`; `where` it stands. Raises LmedgeError, and UsageError from `check`."""
        check_form({"block": value}, {"block": FORM}, where, WHAT)
        parts = [name for name in _PARTS if name in value]
        check_form(value, {name: _PARTS[name][0] for name in parts}, where, WHAT)
        try:
            some: dict[str, Any] = {"low": float(value["low"]), "high": float(value["high"])}
            some |= {name: _PARTS[name][1](value[name]) for name in parts}
        except (ValueError, TypeError, OverflowError):  # whole numbers of JSON have any length
            raise LmedgeError(f"{where}: a latent's block has no numbers or too large ones; make it again.") from None
        return cls(**{name: value[name] for name in FORM} | some)

    def __str__(self) -> str:
        """`uniform in -1..1`"""
        told = f"{self.distribution} in {self.low:g}..{self.high:g}"
        if self.shapes is not None:
            told += f", asks for {self.shapes.points} landmarks"
        if self.attributes is not None:
            told += f", asks for {len(self.attributes)} attributes"
        return told if self.searched else f"{told}, held by inversion"


# What a block may have beside its numbers: form, and what reads it.
_PARTS: dict[str, tuple[Any, Any]] = {
    "mixture": (mixture.FORM, Mixture.from_json),
    "shapes": (shapes.FORM, ShapeSpace.from_json),
    "attributes": (list, tuple),
}
