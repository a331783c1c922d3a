"""A family of generators of which only the options are asked; one that trains is in tests/gan/test_family.py."""

from dataclasses import dataclass
from typing import Annotated

from lmedge.bounds import Share, whole
from lmedge.gan.family import Family
from lmedge.gan.options import EXPLANATION, TrainGanConfig


@dataclass(frozen=True, kw_only=True)
class SecondConfig(TrainGanConfig):
    __doc__ = f"Train the face generator: a second kind.\n{EXPLANATION}"

    family: str = "second"
    """Kind of generator."""
    batch: Annotated[int, whole(1, 64)] | None = None
    """Faces a step. Default: 8."""
    slope: Share = 0.2
    """Slope of the leaky rectifiers."""
    forgotten: Share = 0.1
    """What nobody reads."""


class SecondFamily(Family[SecondConfig]):
    name = "second"
    options = SecondConfig
    rate = 1e-3
    panels = ()

    def build(self, config: SecondConfig, faces):
        raise NotImplementedError(config.slope)

    def note(self, figures):
        return ""
