"""One detector of a study, and where it is kept."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lmedge.parts import Columns, PartStore
from lmedge.study.arms import Arm

TRAININGS = "trainings"


def trainings_in(out: Path, faces: int | None = None, chosen: bool = False) -> PartStore:
    """The errors on `faces` test faces of the detectors of the study in `out`, those of a training a part; with the
    share of generated faces, where that is `chosen`: studies that are older have none."""
    columns: Columns = {"nme": (1, "f"), **({"share": (0, "f")} if chosen else {})}
    return PartStore(out / TRAININGS, columns, note=out / "study.json", rows=faces)


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
