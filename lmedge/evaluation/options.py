"""Options of what measures a run and shows it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional

from lmedge.bounds import TrainingSeed, whole
from lmedge.options import RunFolder, Stage
from lmedge.place import Place


@dataclass(frozen=True, kw_only=True)
class EvaluateConfig(Stage):
    """Measure the run and draw its report: RUN/metrics.json and RUN/report/index.html, or those in --out.

    Figures and page of an earlier evaluation are replaced. A run that comes with lmedge is not written to: --out.

    Example: lmedge evaluate runs/first
    """

    run: Positional[RunFolder]
    """Run with a generator and, for most of the figures, latents and an L-Gen, a folder or a URL, or a model that comes
    with lmedge by its name."""
    samples: Annotated[int, whole(1, 1_000_000)] = 1000
    """Fresh latents for the self-consistency error and for the distances to the real faces."""
    features: str = "filters"
    """Features in which generated and real faces are compared. filters: a fixed filter bank that comes with lmedge.
    keras:NAME: a Keras application, such as keras:InceptionV3, when its weights are on this machine. A .keras or
    .tflite file: a network from images to vectors."""
    mirror_pairs: Annotated[int, whole(1, 64)] = 8
    """Faces whose mirror path is walked, and pairs of random latents whose path is."""
    people: Path | None = None
    """Dataset of photos with landmarks that people placed (`lmedge prepare --annotator pts`), to compare with."""
    seed: TrainingSeed = 0
    """Seed of the samples."""
    on: Place = "local"
    """Where the samples are looked at: on this machine, or by the nodes of a Ray cluster (extra `ray`), to which they
    are sent."""
    out: Path | None = None
    """Folder for metrics.json, index.html and its pictures; nothing is written into the run then. Default: in RUN."""


@dataclass(frozen=True, kw_only=True)
class ReportConfig(Stage):
    """Draw the report page of a run again from its log, also while it trains: RUN/report/index.html, or in --out.

    Needs no checkpoint and loads no network; figures and pictures of the last `evaluate` stay.

    Example: lmedge report runs/first
    """

    run: Positional[RunFolder]
    """Run to report on, a folder or a URL, or a model that comes with lmedge by its name."""
    out: Path | None = None
    """Folder for the page, with figures and pictures of the `evaluate` that had the same --out. Default: RUN/report."""
