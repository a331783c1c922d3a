"""Options of the demo."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from lmedge.bounds import Kimg, whole
from lmedge.options import Stage


@dataclass(frozen=True, kw_only=True)
class DemoConfig(Stage):
    """Run the whole pipeline on drawn faces, from nothing to sampled faces and a report, in minutes.

    Example: lmedge demo --out demo
    """

    out: Path = Path("demo")
    """Folder for dataset, run, bundle and samples. A demo that was stopped continues."""
    count: Annotated[int, whole(200, 10_000_000)] = 3000
    """Faces drawn."""
    kimg: Kimg = 100
    """Thousands of images to train on."""
    inverted: Annotated[int, whole(100, 10_000_000)] = 3000
    """Faces inverted."""
    overwrite: bool = False
    """Start again in a folder that has a demo; what lies below its toys, run, bundle and samples is replaced when the
    new one is whole."""
