"""Options of the training of a relativistic GAN."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import arg

from lmedge.bounds import Rate, Share, whole, within
from lmedge.gan.options import EXPLANATION, FamilyName, TrainGanConfig
from lmedge.options import RunIfSaid


@dataclass(frozen=True, kw_only=True)
class RelativisticConfig(TrainGanConfig):
    __doc__ = f"""Train the face generator: a relativistic GAN (R3GAN, arXiv 2501.05441), asked for by landmarks.

A part of its latent says which landmarks the face shall have; see --shape.
{EXPLANATION.replace("train-gan faces", "train-gan faces --family relativistic")}"""

    family: FamilyName = "relativistic"
    """Kind of generator, and how it learns. `--family FAMILY --help` shows the options that a family has."""
    width: Annotated[int, whole(8, 1024)] | None = None
    """Filters of the generator at 32x32 pixels; other resolutions and the discriminator go with it. Default: the
    preset's (celeba128 and celeba64 64, cpu64 40, toy32 16)."""
    latent: Annotated[int, whole(1, 4096)] | None = None
    """Numbers of z that say who it is, uniform in -1..1. Default: 64, or the teacher's."""
    shape: Annotated[int, whole(0, 64)] | None = None
    """Numbers of z that say where the landmarks are: their principal components in the dataset. 0 leaves them out.
    Default: 12, or the teacher's."""
    attributes: Annotated[Path | None, arg(metavar="FOLDER")] = None
    """Folder of `lmedge train-attributes` on these faces: a part of z then asks for what they show, with what somebody
    said of a photo, or else the network did. See `lmedge sample --set`."""
    attribute_names: tuple[str, ...] = ()
    """With --attributes: ask for these only. Default: all that the network tells."""
    teacher: RunIfSaid = None
    """Run whose faces this generator shall draw from the same latents, to make one that is smaller: see --width. Its
    discriminator is what this one begins with, and stays as wide."""
    fade: Share = 0.5
    """With --teacher: share of --kimg over which likeness to the teacher's faces gives way to likeness to photos."""
    gamma: Annotated[float, within(1e-6, 1000)] = 0.1
    """Weight of the gradient penalties R1 and R2. Too much, and the discriminator hardly tells real faces from drawn
    ones; too little, and it always does."""
    penalty_every: Annotated[int, whole(1, 1000)] | None = None
    """Steps between two penalties of each kind, whose weight makes up for it. Default: 1 on a GPU, 8 on a CPU."""
    learning_rate: Rate | None = None
    """Adam's rate at the start (beta_1 0, beta_2 0.99). Default: 5e-4 for 16 faces a step, times the root of batch /
    16."""
    anneal: Share = 0.6
    """Share of --kimg at the end over which the rate falls to a twentieth, along a cosine."""
