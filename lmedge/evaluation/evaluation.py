"""What an evaluation has measured, for whoever shows it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lmedge.run import Run

if TYPE_CHECKING:
    from lmedge.annotators.annotator import Annotator
    from lmedge.evaluation.paths import Paths
    from lmedge.evaluation.realism import Realism
    from lmedge.inversion.latents import Latents


@dataclass
class Evaluation:
    """Everything the report shows. Parts that the run does not have are None; `notes` says why. `annotator`: who looks
    at generated faces, where somebody can place the points of the run's scheme."""

    run: Run
    page: Path  # folder
    annotator: Annotator | None = None
    figures: dict[str, Any] = field(default_factory=dict)
    lines: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    samples: NDArray[np.uint8] | None = None
    sample_points: NDArray[np.float32] | None = None
    inversions: tuple[NDArray[np.uint8], NDArray[np.uint8]] | None = None  # real, inverted
    inversion_points: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None
    mirror: Paths | None = None
    random: Paths | None = None
    points: NDArray[np.float32] | None = None  # `[K]`, L-Gen's error of each point, in inter-ocular distances
    realism: Realism | None = None
    latents: Latents | None = None
    attributes: NDArray[np.uint8] | None = None  # a picture of faces that were asked for them

    def add(self, name: str, value: Any, label: str, text: str) -> None:
        """Notes a figure for metrics.json, with the line that shows it."""
        self.figures[name] = value
        self.lines.append((label, text))
