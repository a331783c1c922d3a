"""Which part of the seed space each purpose draws its latents from, so that nothing is measured on faces that something
was fitted to. Needs nothing but Python, as it runs on the device."""

from enum import Enum

from lmedge.bounds import LARGEST_SEED


class Purpose(Enum):
    """What latents are drawn for: the first seed of its part, and how many seeds the part has.

    `SAMPLES` are the user's own seeds as they are; those beyond its part are still the user's, and may meet another.
    """

    SAMPLES = 0, 1 << 20  # also what `evaluate` looks at: its seed and the next ones
    CALIBRATION = 0, 1 << 20  # ranges of int8 come from faces as users draw them; nothing is measured on these
    PARITY = 1 << 20, 1  # a converted model against Keras
    CONTROLS = 1 << 21, 2  # directions of steering, and how far they reach
    TARGETS = 1 << 22, 1 << 22  # the poses that faces are steered to
    GENERATED = 1 << 40, 1 << 32  # faces that L-Gen learns from
    INVERTED = 1 << 41, 1 << 32  # faces whose latents `check-inversion` looks for

    @property
    def first(self) -> int:
        return self.value[0]

    @property
    def seeds(self) -> int:
        return self.value[1]

    def seed(self, seed: int = 0) -> int:
        """The seed of 64 bits for the user's `seed`."""
        return (self.first + seed) & LARGEST_SEED
