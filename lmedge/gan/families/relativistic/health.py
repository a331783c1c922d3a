"""How a relativistic GAN fails, and how it shows."""

import math
from dataclasses import dataclass
from typing import ClassVar

from lmedge.gan import health
from lmedge.gan.health import Finding, Health, smoothed

SMOOTHING_KIMG = 4.0  # figures are averaged over about so many thousand images
ALWAYS, NEVER = 0.97, 0.55  # share of pairs in which D is right, beyond which it teaches little
STUCK_KIMG = 16.0  # for so long
RAN_OFF = 1e4  # squared slope of D, for which penalties ask for about 1


@dataclass(kw_only=True)
class RelativisticHealth(Health):
    """Judges `right`, `slope_real` and `slope_fake`; a student's log has `from_teacher` beside them."""

    remedy: ClassVar[str] = "a higher --gamma or a lower --learning-rate"

    right: float | None = None  # average
    slope: float | None = None  # average of the larger one
    end: str = ""  # where `right` has been
    since: float = 0.0
    last: float = 0.0

    def judge(self, kimg: float, figures: dict[str, float]) -> list[Finding]:
        keep = math.exp(-(kimg - self.last) / SMOOTHING_KIMG)
        self.right = smoothed(self.right, figures["right"], keep)
        self.slope = smoothed(self.slope, max(figures["slope_real"], figures["slope_fake"]), keep)
        self.last = kimg
        return [*self._slope(kimg), *self._right(kimg, taught="from_teacher" in figures)]

    @property
    def suspicious(self) -> bool:
        return (self.slope is not None and self.slope > RAN_OFF / 10) or super().suspicious

    def _slope(self, kimg: float) -> list[Finding]:
        assert self.slope is not None
        if kimg < health.WARM_UP_KIMG or self.slope < RAN_OFF:
            return []
        text = (
            f"the penalty has run off: the squared slope of D averages {self.slope:.3g} at {kimg:.1f} kimg; go on with "
            "half the --learning-rate, or train again with a higher --gamma"
        )
        return [Finding(text, stop=True)]

    def _right(self, kimg: float, taught: bool) -> list[Finding]:
        assert self.right is not None
        end = "always" if self.right > ALWAYS else "never" if self.right < NEVER else ""
        if taught and end == "always":
            end = ""  # a student's D begins as an expert, and is not its only teacher
        if end != self.end:
            self.end, self.since = end, kimg
        if not end or kimg - self.since < STUCK_KIMG or kimg < health.WARM_UP_KIMG:
            return []
        long = f"for {kimg - self.since:.0f} kimg the discriminator has told"
        if end == "always":
            return self.once("always", f"{long} the real face of a pair in {self.right:.0%} of cases: the generator "
                             "learns little from it; train again with a higher --gamma")  # fmt: skip
        return self.once("never", f"{long} the real face of a pair in {self.right:.0%} of cases, where guessing gives "
                         "50 %: it has little to teach; train again with a lower --gamma")  # fmt: skip
