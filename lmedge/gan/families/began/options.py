"""Options of the training of a BEGAN."""

from dataclasses import dataclass
from typing import Annotated

from lmedge.bounds import Kimg, Rate, Share, whole
from lmedge.gan.options import EXPLANATION, FamilyName, TrainGanConfig


@dataclass(frozen=True, kw_only=True)
class BeganConfig(TrainGanConfig):
    __doc__ = f"Train the face generator: a BEGAN (arXiv 1703.10717).\n{EXPLANATION}"

    family: FamilyName = "began"
    """Kind of generator, and how it learns. `--family FAMILY --help` shows the options that a family has."""
    width: Annotated[int, whole(1, 1024)] | None = None
    """Filters n of the first convolution. Default: the preset's (celeba128 128, celeba64 64, cpu64 32, toy32 16)."""
    gamma: Share = 0.5
    """Diversity ratio gamma: lower gives cleaner and more alike faces."""
    lambda_k: Share = 1e-3
    """Proportional gain of k."""
    learning_rate: Rate | None = None
    """Adam's rate at the start (beta_1 0.5). Default: 1e-4 for 16 faces a step, times the root of batch / 16."""
    learning_rate_floor: Share = 2e-5
    """The rate is halved when the convergence measure stalls, but never below this."""
    patience: Kimg = 80
    """kimg without a better convergence measure before the rate is halved."""
