"""How a BEGAN fails, and how it shows."""

import math
from dataclasses import dataclass
from typing import ClassVar

from lmedge.gan import health
from lmedge.gan.health import Finding, Health, smoothed

SMOOTHING_KIMG = 4.0  # the loss is averaged over about so many thousand images
EXPLODED = 1.6  # times its lowest average: the loss on real faces has exploded
STUCK_KIMG = 24.0  # k at an end for so long is stuck; it starts at 0
BETTER = 0.998  # a measure below this share of the best counts as better
NO_GAIN = 3  # times the patience without a better measure at the lowest rate: training is over


@dataclass(kw_only=True)
class BeganHealth(Health):
    """Judges `loss_real`, `k`, `measure`, gradient norms, and the `learning_rate`."""

    remedy: ClassVar[str] = "a higher --gamma or a lower --learning-rate"

    patience: float  # kimg
    floor: float  # of the learning rate
    average: float | None = None  # of L(x)
    measure: float | None = None  # average of M
    lowest: float = math.inf
    k_end: float = -1.0  # 0 or 1 while k is there
    k_since: float = 0.0
    best_measure: float = math.inf
    best_measure_at: float = 0.0
    last: float = 0.0

    def judge(self, kimg: float, figures: dict[str, float]) -> list[Finding]:
        keep = math.exp(-(kimg - self.last) / SMOOTHING_KIMG)
        self.average = smoothed(self.average, figures["loss_real"], keep)
        self.measure = smoothed(self.measure, figures["measure"], keep)
        self.last = kimg
        return [*self._loss(kimg, figures), *self._k(kimg, figures["k"]), *self._rate(kimg, figures)]

    @property
    def suspicious(self) -> bool:
        rising = self.average is not None and self.average > (1 + EXPLODED) / 2 * self.lowest
        return rising or super().suspicious

    def _loss(self, kimg: float, figures: dict[str, float]) -> list[Finding]:
        assert self.average is not None
        self.lowest = min(self.lowest, self.average)
        if kimg > health.WARM_UP_KIMG and self.average > EXPLODED * self.lowest:
            return [Finding(f"the training has exploded: L(x) averages {self.average:.4f} at {kimg:.1f} kimg and was "
                            f"{self.lowest:.4f} (gradient norms {figures.get('norm_d', math.nan):.3g} of D, "
                            f"{figures.get('norm_g', math.nan):.3g} of G); go on with half the --learning-rate",
                            stop=True)]  # fmt: skip
        return []

    def _k(self, kimg: float, k: float) -> list[Finding]:
        end = 0.0 if k < 1e-4 else 1.0 if k > 1 - 1e-4 else -1.0
        if end != self.k_end:
            self.k_end, self.k_since = end, kimg
        if end < 0 or kimg - self.k_since < STUCK_KIMG or kimg < health.WARM_UP_KIMG:
            return []
        if end == 0:
            return self.once("k0", f"k has been 0 for {kimg - self.k_since:.0f} kimg: G stays behind what gamma asks, "
                             "so D learns from real faces alone; raise --gamma")  # fmt: skip
        return self.once("k1", f"k has been 1 for {kimg - self.k_since:.0f} kimg: D cannot hold generated faces back, "
                         "a sign of a collapse to few faces; raise --gamma or lower --learning-rate")  # fmt: skip

    def _rate(self, kimg: float, figures: dict[str, float]) -> list[Finding]:
        assert self.measure is not None
        if self.measure < BETTER * self.best_measure:
            self.best_measure, self.best_measure_at = self.measure, kimg
        rate = figures["learning_rate"]
        at_floor = rate <= self.floor * 1.0001
        if at_floor and kimg < 4 * self.patience:
            return self.once("early", f"the learning rate is at its floor of {rate:.2g} at {kimg:.0f} kimg already; "
                             "a higher --patience leaves it up longer")  # fmt: skip
        if at_floor and kimg - self.best_measure_at > NO_GAIN * self.patience:
            return self.once("over", f"M has not improved since {self.best_measure_at:.0f} kimg and the learning rate "
                             "is at its floor; more of this brings little")  # fmt: skip
        return []
