"""Options of the page on which people place points."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from lmedge.bounds import whole
from lmedge.options import SchemeIfSaid, Stage


@dataclass(frozen=True, kw_only=True)
class LabelConfig(Stage):
    """Place your own landmarks on generated faces, on a page in the browser; 10 to 100 faces teach L-Gen new points.

    Chooses faces that differ, and after every few of them those about which what was learnt so far is least sure;
    proposes places, so that later faces are mostly confirmed. Every point is kept at once, as COCO key points and as
    `.pts` files: the same command goes on. `lmedge train-lgen --labels` learns from them.

    Example: lmedge label runs/first --scheme mine.json --out labels
    """

    model: Positional[Annotated[Path, arg(metavar="RUN|BUNDLE")]]
    """Run with an L-Gen, bundle folder, a .tflite file of one, or a model that comes with lmedge by its name."""
    out: Path
    """Folder for the labels; those that are there are gone on with."""
    scheme: SchemeIfSaid = None
    """Which landmarks to place: a JSON file, or ibug68 or ibug49. Labels that are there say it themselves."""
    new_scheme: bool = False
    """Make the scheme on the page: name points, and click them. It is written to OUT/scheme.json."""
    take_over: Path | None = None
    """A COCO file, or a folder of .pts files, that another tool has made of the pictures in OUT/images: its points are
    added to those that are there."""
    replace: bool = False
    """With --take-over: points that are placed already are replaced."""
    port: Annotated[int, whole(0, 65_535)] = 8001
    """Port; 0 takes a free one."""
    host: str = "127.0.0.1"
    """Address to listen on: 127.0.0.1 for this machine only, 0.0.0.0 for every network it is in, where everyone may
    place points."""
