"""When a training is saved, and how it goes back."""

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol

from lmedge.gan import checkpoint
from lmedge.gan.precision import in_precision
from lmedge.gan.training import Callback, Training
from lmedge.interrupt import asking
from lmedge.keras_file import save_network
from lmedge.run import Run


class Noted(Protocol):
    """What has a state beside the variables."""

    def state(self) -> dict[str, Any]:
        """JSON values."""


class Saver(Callback):
    """Saves everything every N steps, at the end, and when asked to stop (Ctrl-C, SIGTERM). Comes last.

    One checkpoint is kept to go back to: the newest that was followed by another before anything was suspicious.
    """

    def __init__(self, run: Run, every: int, keep: int, variables: dict[str, list[Any]], noted: Mapping[str, Noted],
                 writes: bool = True, newest: Path | None = None):  # fmt: skip
        self.run, self.every, self.keep = run, every, keep
        self.variables, self.noted, self.writes = variables, noted, writes
        self.saved = -1
        self.good: Path | None = None  # to go back to
        self.newest = newest  # not yet proven
        self._asking: ExitStack | None = None

    def after_step(self, training: Training) -> None:
        if self._asking is None:  # before its first step a sitting has nothing to save
            self._asking = ExitStack()
            sentence = f"saving {self.run}; once more ends without that."
            self._asking.enter_context(asking(lambda: setattr(training, "stopped", True), sentence))
        if training.step % self.every == 0 or training.stopped:
            self.save(training)

    def end(self, training: Training) -> None:
        self.save(training)

    def release(self) -> None:
        """Gives the signals back."""
        if self._asking is not None:
            self._asking.close()

    def save(self, training: Training) -> None:
        """A checkpoint of this step and generator.keras, unless they are there or the training is lost."""
        if self.saved == training.step or training.lost or not self.writes:
            return
        if not training.suspicious:
            self.good = self.newest or self.good
        pinned = {path for path in (self.good, self.newest) if path}
        state = {name: each.state() for name, each in self.noted.items()}
        path = checkpoint.save(self.run.checkpoints, training.step, self.variables, state, self.keep, pinned)
        if not training.suspicious:
            self.newest = path
        self._save_generator(training)
        self.saved = training.step

    def go_back(self, training: Training) -> Path | None:
        """Removes the checkpoints from after the good one, and takes the generator from that; returns it. None where
        there is none."""
        good = self.good or self.newest
        if not self.writes or good is None or not good.exists():
            return None
        for path in checkpoint.checkpoints(self.run.checkpoints):
            if path > good:
                path.unlink()
        checkpoint.restore(good, self.variables)
        self._save_generator(training)
        return good

    def _save_generator(self, training: Training) -> None:
        # The artefact computes in float32 whatever the training did.
        save_network(in_precision(training.average, "float32"), self.run.generator_file)
