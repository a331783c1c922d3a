"""One detector of a study, and where it is kept."""

from dataclasses import dataclass
from pathlib import Path

from lmedge.study.arms import Arm


@dataclass(frozen=True)
class Training:
    """One detector: what it learns from, how many real faces, and with which seed."""

    arm: Arm
    amount: int
    seed: int

    def file(self, out: Path) -> Path:
        """Where its errors are kept."""
        name = self.arm.name.replace(" ", "")
        return out / "trainings" / f"{name}-{self.amount}-{self.seed}.npz"

    def network_file(self, out: Path) -> Path:
        """Where the detector itself is kept, if it is of the first seed."""
        return self.file(out).with_suffix(".keras")
