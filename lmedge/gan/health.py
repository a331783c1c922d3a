"""How a training fails, and how it shows. Pure arithmetic on logged figures, so that it can be tried on any series."""

import math
from dataclasses import MISSING, Field, asdict, dataclass, fields
from typing import Any, ClassVar

COLLAPSED = 0.5  # share of the best diversity so far: the generator has collapsed to fewer faces
WARM_UP_KIMG = 24.0  # before, everything is allowed: faces start grey


def smoothed(average: float | None, value: float, keep: float) -> float:
    """A moving average of which a share `keep` stays; it begins with the first value."""
    return value if average is None else keep * average + (1 - keep) * value


@dataclass(frozen=True)
class Finding:
    """`text` says what happens and what to try; `stop` whether going on would be a waste."""

    text: str
    stop: bool = False


@dataclass(kw_only=True)
class Health:
    """Watches one training, of whatever family. `look` takes every line of the log, `look_at_faces` every measured
    diversity. A family derives from it, and `judge`s its own figures."""

    remedy: ClassVar[str] = "a lower --learning-rate"  # against faces that become alike

    best_diversity: float = 0.0
    low_diversity: int = 0
    said: tuple[str, ...] = ()

    def look(self, kimg: float, figures: dict[str, float]) -> list[Finding]:
        """Means of the family's figures, and the `learning_rate`, since the last line."""
        for name, value in figures.items():
            if not math.isfinite(value):
                text = (
                    f"numbers are not finite any more ({name} is {value} at {kimg:.3g} kimg); go on with a lower "
                    "--learning-rate, or with --precision float32 in a new --run"
                )
                return [Finding(text, stop=True)]
        return self.judge(kimg, figures)

    def judge(self, kimg: float, figures: dict[str, float]) -> list[Finding]:
        """What the family says of figures that are finite."""
        return []

    def look_at_faces(self, kimg: float, diversity: float) -> list[Finding]:
        """`diversity` of faces from fixed latents, relative to that of real faces."""
        if kimg < WARM_UP_KIMG:
            return []
        self.best_diversity = max(self.best_diversity, diversity)
        low = diversity < COLLAPSED * self.best_diversity
        self.low_diversity = self.low_diversity + 1 if low else 0
        if self.low_diversity == 1:
            return [Finding(f"faces have become alike at {kimg:.1f} kimg: diversity {diversity:.2f}, it was "
                            f"{self.best_diversity:.2f}; if it stays, train again with {self.remedy}")]  # fmt: skip
        if self.low_diversity == 3:
            return [Finding(f"the generator has collapsed: diversity {diversity:.2f} at {kimg:.1f} kimg, it was "
                            f"{self.best_diversity:.2f}; train again with {self.remedy}", stop=True)]  # fmt: skip
        return []

    def state(self) -> dict[str, Any]:
        """JSON values that `load` takes back."""
        values = asdict(self)
        return {each.name: None if values[each.name] == math.inf else values[each.name] for each in self._noted()}

    def load(self, state: dict[str, Any]) -> None:
        """Goes on from a saved state, with the options of now."""
        for each in self._noted():
            if each.name in state:
                value = state[each.name]
                setattr(self, each.name, math.inf if value is None and each.default == math.inf else value)
        self.said = tuple(self.said)

    def _noted(self) -> list["Field[Any]"]:
        """Fields that a training changes; those without a default are options."""
        return [each for each in fields(self) if each.default is not MISSING]

    @property
    def suspicious(self) -> bool:
        """Has something begun that may end the training? Checkpoints from then on may be bad."""
        return self.low_diversity > 0

    def once(self, name: str, text: str) -> list[Finding]:
        """A finding that is not said again."""
        if name in self.said:
            return []
        self.said = (*self.said, name)
        return [Finding(text)]
