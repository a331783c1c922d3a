"""A training: where it stands, and the loop that moves it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lmedge.gan.health import Finding

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lmedge.gan.gan import Gan


@dataclass
class Training:
    """Where a training stands. The loop passes it to everything that happens between two steps."""

    gan: Gan
    average: Any  # the averaged generator, a Keras model
    batch: int
    step: int = 0  # steps done, over all sittings
    figures: dict[str, float] = field(default_factory=dict)  # of the newest step
    line: dict[str, float] | None = None  # means since the last line of the journal, where this step ends one
    faces: NDArray[np.uint8] | None = None  # of fixed latents, where they were drawn after this step
    findings: list[Finding] = field(default_factory=list)  # of this sitting
    suspicious: bool = False  # has something begun that may end the training?
    stopped: bool = False  # somebody has asked it to stop

    @property
    def kimg(self) -> float:
        """Thousands of images seen."""
        return self.step * self.batch / 1000

    @property
    def rate(self) -> float:
        """The learning rate."""
        return self.gan.rate

    @rate.setter
    def rate(self, rate: float) -> None:
        self.gan.rate = rate

    @property
    def lost(self) -> Finding | None:
        """What makes going on a waste."""
        return next((finding for finding in self.findings if finding.stop), None)

    @property
    def over(self) -> bool:
        """Shall no other step follow?"""
        return self.stopped or self.lost is not None


class Callback:
    """Something that happens between the steps of a training."""

    def begin(self, training: Training) -> None:
        """Before the first step of a sitting."""

    def after_step(self, training: Training) -> None:
        """After every step."""

    def end(self, training: Training) -> None:
        """After the last step of a sitting."""


def train(
    training: Training, step: Callable[[Any], dict[str, float]], batches: Iterable[Any], last: int,
    callbacks: Sequence[Callback],
) -> None:  # fmt: skip
    """Takes steps until `last` of them are done or the training is over."""
    for callback in callbacks:
        callback.begin(training)
    data: Iterator[Any] = iter(batches)
    while training.step < last and not training.over:
        training.figures = step(next(data))
        training.step += 1
        training.line = training.faces = None
        for callback in callbacks:
            callback.after_step(training)
    for callback in callbacks:
        callback.end(training)


def steps_for(kimg: float, batch: int) -> int:
    """Steps that see so many thousand images."""
    return max(1, round(kimg * 1000 / batch))
