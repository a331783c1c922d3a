"""How the learning rate goes over a training."""

import math
from typing import Any

from lmedge.gan.training import Callback, Training

KEPT = 0.99  # of the smoothed figure, for every 16 images: 0.53 for every thousand
KEPT_IMAGES = 16
BETTER = 0.998  # the smoothed figure must fall below this share of the best to count as better


class Schedule(Callback):
    """A rate that stays; what others derive from. It is the first thing that looks at a step."""

    def state(self) -> dict[str, Any]:
        """JSON values that `load` takes back."""
        return {}

    def load(self, state: dict[str, Any]) -> None:
        """Goes on from a saved state."""


class Plateau(Schedule):
    """Halves the learning rate when `figure` of the log stalls for `patience` steps, down to a floor (BEGAN, section
    4.1)."""

    def __init__(self, figure: str, floor: float, patience: int):
        self.figure, self.floor, self.patience = figure, floor, patience
        self.smooth: float | None = None
        self.best = math.inf
        self.best_step = 0

    def state(self) -> dict[str, Any]:
        best = None if math.isinf(self.best) else self.best
        return {"smooth": self.smooth, "best": best, "best_step": self.best_step}

    def load(self, state: dict[str, Any]) -> None:
        self.smooth, self.best_step = state["smooth"], state["best_step"]
        self.best = math.inf if state["best"] is None else state["best"]

    def after_step(self, training: Training) -> None:
        value = training.figures[self.figure]
        if not math.isfinite(value):
            return  # the watch stops the training
        keep = KEPT ** (training.batch / KEPT_IMAGES)  # the same over the same images, whatever the batch
        self.smooth = value if self.smooth is None else keep * self.smooth + (1 - keep) * value
        if self.smooth < BETTER * self.best:
            self.best, self.best_step = self.smooth, training.step
        elif training.step - self.best_step >= self.patience:
            self.best_step = training.step
            if training.rate > self.floor:
                training.rate = max(training.rate / 2, self.floor)


class Cosine(Schedule):
    """Keeps the rate, and over the last `share` of so many `steps` lets it fall to `END` of what it was, along half a
    cosine (Loshchilov and Hutter, arXiv 1608.03983)."""

    END = 0.05

    def __init__(self, rate: float, steps: int, share: float):
        self.rate, self.last, self.first = rate, steps, steps * (1 - share)

    def begin(self, training: Training) -> None:
        training.rate = self.rate * self.part(training.step)

    def after_step(self, training: Training) -> None:
        if training.step > self.first:
            training.rate = self.rate * self.part(training.step)

    def part(self, step: int) -> float:
        """The share of the rate with which the step after `step` is taken."""
        gone = min(1.0, max(0.0, step - self.first) / max(1.0, self.last - self.first))
        return self.END + (1 - self.END) * (1 + math.cos(math.pi * gone)) / 2
