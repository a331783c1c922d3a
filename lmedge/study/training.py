"""One detector of a study, and where it is kept."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lmedge.parts import Columns, PartStore
from lmedge.study.arms import Arm

TRAININGS = "trainings"
COLUMNS: Columns = {"nme": (1, "f")}


def trainings_in(out: Path) -> PartStore:
    """The errors of the detectors of the study in `out`, those of a training a part."""
    return PartStore(out / TRAININGS, COLUMNS, note=out / "study.json")


@dataclass(frozen=True)
class Training:
    """One detector: what it learns from, how many real faces, and with which seed."""

    arm: Arm
    amount: int
    seed: int

    @property
    def name(self) -> str:
        """Of its files."""
        return f"{self.arm.slug}-{self.amount}-{self.seed}"

    def network_file(self, out: Path) -> Path:
        """Where the detector itself is kept, if it is of the first seed."""
        return out / TRAININGS / f"{self.name}.keras"


@dataclass(frozen=True)
class Trained:
    """NMEs `[test faces]` of a detector, the share of generated faces in its batches, and, if it is of the first seed,
    the bytes of its file."""

    errors: NDArray[np.float32]
    share: float
    network: bytes | None
