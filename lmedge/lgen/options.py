"""Options of what learns landmarks from latents."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional

from lmedge.bounds import Batch, Rate, Steps, TrainingSeed, whole, within
from lmedge.options import RunFolder, Stage
from lmedge.place import Place


@dataclass(frozen=True, kw_only=True)
class TrainLgenConfig(Stage):
    """Train L-Gen, the small network that reads the landmarks off a latent.

    Trains on the latents of `invert`, on generated faces, or on both, and reports the error on held-out ones: whole
    groups of inverted faces, and generated ones. A second network learns how sure L-Gen may be of a face.

    Example: lmedge train-lgen runs/first
    """

    run: Positional[RunFolder]
    """Run with inverted faces, a folder or a URL of an object store."""
    data: Literal["inverted", "generated", "both"] = "both"
    """What to learn from. inverted: the latents of real faces with their landmarks (the paper). generated: faces that
    the generator draws, with the landmarks that Face Mesh finds on them and on their mirror images. both: the one and
    the other; where the real faces' landmarks are not Face Mesh's, those of generated faces are fitted to them."""
    generated: Annotated[int, whole(20, 10_000_000)] = 12000
    """Number of generated faces; kept in the run, so that more are added to those that are there."""
    hidden: tuple[Annotated[int, whole(1, 8192)], ...] = (128, 128, 128, 128)
    """Units of the hidden layers (ELU)."""
    steps: Steps = 12000
    """Most steps; the state with the lowest error on validation groups is kept."""
    batch: Batch = 128
    """Faces a step."""
    learning_rate: Rate = 1e-3
    """Adam's rate at the start; falls along a cosine to 0."""
    dropout: Annotated[float, within(0, 0.9)] = 0.05
    """Share of hidden units dropped while training."""
    held_out: Annotated[float, within(0.01, 0.4)] = 0.1
    """Share of the groups held out for the error; as many again choose the epoch."""
    all: bool = False
    """After measuring, refit on every face, as the paper does; the saved L-Gen is the refit one and the
    error still that of the honest one."""
    seed: TrainingSeed = 0
    """Seed of split, weights and order."""
    on: Place = "local"
    """Where generated faces are looked at: on this machine, or by the nodes of a Ray cluster (extra `ray`), to which
    they are sent. The training itself stays here."""
    labels: Path | None = None
    """Learn the points of these labels of `lmedge label` instead: what was learnt from them labels --generated faces,
    from which L-Gen learns. The error is that on labelled faces, each left out."""
    out: Path | None = None
    """With --labels: the run that the generator and the new L-Gen go into; RUN stays as it is."""
