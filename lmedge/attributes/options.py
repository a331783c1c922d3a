"""Options of what learns attributes from photos."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional

from lmedge.bounds import Batch, Rate, TrainingSeed, whole, within
from lmedge.options import DatasetFolder, Stage


@dataclass(frozen=True, kw_only=True)
class TrainAttributesConfig(Stage):
    """Train a small network that says what faces show: Smiling, Eyeglasses, whatever the dataset's attributes are.

    Photos may be labelled in part: nothing is learnt from what is unknown. The network is measured on people that it
    never saw, forgets the attributes that a face of this size does not show, and says of every face of the dataset how
    likely the others are.

    Example: lmedge train-attributes faces --out attributes
    """

    faces: Positional[DatasetFolder]
    """Dataset with attributes, made by `prepare --attributes` or `add-attributes`."""
    out: Path
    """Folder for the network, its figures, a picture, and what it says of the faces."""
    attributes: tuple[str, ...] = ()
    """Learn these only. Default: all that the dataset has."""
    min_balanced_accuracy: Annotated[float, within(0.5, 1)] = 0.75
    """Leave out attributes that it tells less well than this on held-out people: the mean of the shares of right
    answers where the attribute is there and where it is not; half is a guess."""
    epochs: Annotated[int, whole(1, 10_000)] = 24
    """Times that every labelled photo of the training people is seen, each time shifted and perhaps mirrored."""
    batch: Batch = 64
    """Faces a step."""
    learning_rate: Rate = 2e-3
    """AdamW's rate at the start; falls along a cosine to 0."""
    held_out: Annotated[float, within(0.01, 0.4)] = 0.1
    """Share of the groups held out for the figures; as many again calibrate the network."""
    seed: TrainingSeed = 0
    """Seed of split, weights and order."""
    overwrite: bool = False
    """Replace a network that is there."""
