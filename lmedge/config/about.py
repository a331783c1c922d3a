"""Options of what tells, and of the demo."""

from dataclasses import dataclass
from pathlib import Path

from tyro.conf import Positional

from lmedge.config.options import Stage


@dataclass(frozen=True, kw_only=True)
class InfoConfig(Stage):
    """Say what a dataset, run, bundle or .tflite file holds.

    Example: lmedge info bundle
    """

    path: Positional[Path]
    """Folder or file."""
    json: bool = False
    """Print JSON."""


@dataclass(frozen=True, kw_only=True)
class DoctorConfig(Stage):
    """Say which versions, GPUs and interpreters are here, and what is missing for which verb."""


@dataclass(frozen=True, kw_only=True)
class DemoConfig(Stage):
    """Run the whole pipeline on drawn faces, from nothing to sampled faces and a report, in minutes.

    Example: lmedge demo --out demo
    """

    out: Path = Path("demo")
    """Folder for dataset, run, bundle and samples. A demo that was stopped continues."""
    count: int = 3000
    """Faces drawn."""
    kimg: float = 88
    """Thousands of images to train on."""
    inverted: int = 3000
    """Faces inverted."""
    overwrite: bool = False
    """Start again in a folder that has a demo."""
