"""A part of an inversion, in a worker. TensorFlow is imported when the worker starts, so that it is quiet."""

from pathlib import Path
from typing import TYPE_CHECKING

from lmedge.inversion.search import Search
from lmedge.quiet import load_tensorflow

if TYPE_CHECKING:
    from lmedge.inversion.inversion import Arrays, Inversion, Job

_inversion: "Inversion"  # one a worker


def start_inversion(run: Path, dataset: Path, search: Search) -> None:
    """Loads the networks of a run, whose encoder is trained where the search starts from one, and a dataset."""
    load_tensorflow()
    from lmedge.faces.records import FaceDataset
    from lmedge.inversion.inversion import Inversion
    from lmedge.run import Run

    global _inversion
    there = Run.open(run)
    _inversion = Inversion.of(there, there.generator(), FaceDataset(dataset), search)


def work(job: "Job") -> "Arrays":
    """Inverts the faces of a part."""
    return _inversion(job)
