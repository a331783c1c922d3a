"""Which part of the seed space each purpose draws its numbers from, so that nothing is measured on faces that something
was fitted to. Needs nothing but Python, as it runs on the device."""

from dataclasses import dataclass
from enum import Enum

from lmedge.bounds import LARGEST_SEED


@dataclass(frozen=True, eq=False)  # or an Enum takes the second of two equal parts for another name of the first
class Part:
    """Seeds `first` to `first + seeds`."""

    first: int
    seeds: int


class Purpose(Enum):
    """What numbers are drawn for.

    `SAMPLES` are the user's own seeds as they are; those beyond its part are still the user's, and may meet another.
    """

    SAMPLES = Part(0, 1 << 20)  # also what `evaluate` looks at: its seed and the next ones
    CALIBRATION = Part(0, 1 << 20)  # ranges of int8 come from faces as users draw them; nothing is measured on these
    KERNELS = Part(100, 200)  # random filters that features come from: no latents
    PARITY = Part(1 << 20, 1)  # a converted model against Keras
    CONTROLS = Part(1 << 21, 2)  # directions of steering, and how far they reach
    TARGETS = Part(1 << 22, 1 << 22)  # the poses that faces are steered to
    GENERATED = Part(1 << 40, 1 << 32)  # faces that L-Gen learns from
    INVERTED = Part(1 << 41, 1 << 32)  # faces whose latents `check-inversion` looks for
    LABELLED = Part(1 << 42, 1 << 32)  # faces that people label

    @property
    def first(self) -> int:
        return self.value.first

    @property
    def seeds(self) -> int:
        return self.value.seeds

    def seed(self, seed: int = 0) -> int:
        """The seed of 64 bits for the user's `seed`."""
        return (self.first + seed) & LARGEST_SEED


# Purposes whose parts may meet. Of all others no user's seed below 2^20 draws the same numbers twice.
MEET = (
    {Purpose.SAMPLES, Purpose.CALIBRATION},
    {Purpose.SAMPLES, Purpose.KERNELS},
    {Purpose.CALIBRATION, Purpose.KERNELS},
)
