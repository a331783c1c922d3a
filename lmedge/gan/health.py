"""How a BEGAN fails, and how it shows. Pure arithmetic on logged figures, so that it can be tried on any series."""

import math
from dataclasses import asdict, dataclass, fields
from typing import Any

SMOOTHING_KIMG = 4.0  # the loss is averaged over about so many thousand images
EXPLODED = 1.6  # times its lowest average: the loss on real faces has exploded
COLLAPSED = 0.5  # share of the best diversity so far: the generator has collapsed to fewer faces
WARM_UP_KIMG = 24.0  # before, everything is allowed: k starts at 0 and faces start grey
STUCK_KIMG = 24.0  # k at an end for so long is stuck
BETTER = 0.998  # a measure below this share of the best counts as better
NO_GAIN = 3  # times the patience without a better measure at the lowest rate: training is over


@dataclass(frozen=True)
class Finding:
    """`text` says what happens and what to try; `stop` whether going on would be a waste."""

    text: str
    stop: bool = False


@dataclass
class Health:
    """Watches one training. `look` takes every line of the log, `look_at_faces` every measured diversity."""

    patience: float  # kimg
    floor: float  # of the learning rate
    average: float | None = None  # of L(x)
    measure: float | None = None  # average of M
    lowest: float = math.inf
    k_end: float = -1.0  # 0 or 1 while k is there
    k_since: float = 0.0
    best_measure: float = math.inf
    best_measure_at: float = 0.0
    best_diversity: float = 0.0
    low_diversity: int = 0
    last: float = 0.0
    said: tuple[str, ...] = ()

    def look(self, kimg: float, values: dict[str, float]) -> list[Finding]:
        """Means of `loss_real`, `k`, `measure`, gradient norms, and the `learning_rate`, since the last line."""
        for name, value in values.items():
            if not math.isfinite(value):
                text = (
                    f"numbers are not finite any more ({name} is {value} at {kimg:.3g} kimg); go on with a lower "
                    "--learning-rate, or with --precision float32 in a new --run"
                )
                return [Finding(text, stop=True)]
        keep = math.exp(-(kimg - self.last) / SMOOTHING_KIMG)
        self.average = _mixed(self.average, values["loss_real"], keep)
        self.measure = _mixed(self.measure, values["measure"], keep)
        self.last = kimg
        return [*self._loss(kimg, values), *self._k(kimg, values["k"]), *self._rate(kimg, values)]

    def look_at_faces(self, kimg: float, diversity: float) -> list[Finding]:
        """`diversity` of faces from fixed latents, relative to that of real faces."""
        if kimg < WARM_UP_KIMG:
            return []
        self.best_diversity = max(self.best_diversity, diversity)
        low = diversity < COLLAPSED * self.best_diversity
        self.low_diversity = self.low_diversity + 1 if low else 0
        if self.low_diversity == 1:
            return [Finding(f"faces have become alike at {kimg:.1f} kimg: diversity {diversity:.2f}, it was "
                            f"{self.best_diversity:.2f}; if it stays, raise --gamma")]  # fmt: skip
        if self.low_diversity == 3:
            return [Finding(f"the generator has collapsed: diversity {diversity:.2f} at {kimg:.1f} kimg, it was "
                            f"{self.best_diversity:.2f}; train again with a higher --gamma or a lower "
                            "--learning-rate", stop=True)]  # fmt: skip
        return []

    def state(self) -> dict[str, Any]:
        """JSON values that `load` takes back."""
        return {name: None if value == math.inf else value for name, value in asdict(self).items()}

    def load(self, state: dict[str, Any]) -> None:
        """Goes on from a saved state, with the patience and floor of now."""
        for field in fields(self):
            if field.name in state and field.name not in ("patience", "floor"):
                value = state[field.name]
                endless = field.name in ("lowest", "best_measure")
                setattr(self, field.name, math.inf if value is None and endless else value)
        self.said = tuple(self.said)

    @property
    def suspicious(self) -> bool:
        """Has something begun that may end the training? Checkpoints from then on may be bad."""
        rising = self.average is not None and self.average > (1 + EXPLODED) / 2 * self.lowest
        return rising or self.low_diversity > 0

    def _loss(self, kimg: float, values: dict[str, float]) -> list[Finding]:
        assert self.average is not None
        self.lowest = min(self.lowest, self.average)
        if kimg > WARM_UP_KIMG and self.average > EXPLODED * self.lowest:
            return [Finding(f"the training has exploded: L(x) averages {self.average:.4f} at {kimg:.1f} kimg and was "
                            f"{self.lowest:.4f} (gradient norms {values.get('norm_d', math.nan):.3g} of D, "
                            f"{values.get('norm_g', math.nan):.3g} of G); go on with half the --learning-rate",
                            stop=True)]  # fmt: skip
        return []

    def _k(self, kimg: float, k: float) -> list[Finding]:
        end = 0.0 if k < 1e-4 else 1.0 if k > 1 - 1e-4 else -1.0
        if end != self.k_end:
            self.k_end, self.k_since = end, kimg
        if end < 0 or kimg - self.k_since < STUCK_KIMG or kimg < WARM_UP_KIMG:
            return []
        if end == 0:
            return self._once("k0", f"k has been 0 for {kimg - self.k_since:.0f} kimg: G stays behind what gamma asks, "
                              "so D learns from real faces alone; raise --gamma")  # fmt: skip
        return self._once("k1", f"k has been 1 for {kimg - self.k_since:.0f} kimg: D cannot hold generated faces back, "
                          "a sign of a collapse to few faces; raise --gamma or lower --learning-rate")  # fmt: skip

    def _rate(self, kimg: float, values: dict[str, float]) -> list[Finding]:
        assert self.measure is not None
        if self.measure < BETTER * self.best_measure:
            self.best_measure, self.best_measure_at = self.measure, kimg
        rate = values["learning_rate"]
        at_floor = rate <= self.floor * 1.0001
        if at_floor and kimg < 4 * self.patience:
            return self._once("early", f"the learning rate is at its floor of {rate:.2g} at {kimg:.0f} kimg already; "
                              "a higher --patience leaves it up longer")  # fmt: skip
        if at_floor and kimg - self.best_measure_at > NO_GAIN * self.patience:
            return self._once("over", f"M has not improved since {self.best_measure_at:.0f} kimg and the learning rate "
                              "is at its floor; more of this brings little")  # fmt: skip
        return []

    def _once(self, name: str, text: str) -> list[Finding]:
        if name in self.said:
            return []
        self.said = (*self.said, name)
        return [Finding(text)]


def _mixed(average: float | None, value: float, keep: float) -> float:
    return value if average is None else keep * average + (1 - keep) * value
