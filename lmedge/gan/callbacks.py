"""What happens between the steps of a training: rate decay, log, pictures, checkpoints, progress."""

import json
import os
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from PIL import Image

from lmedge.gan import checkpoint
from lmedge.gan.networks import in_precision
from lmedge.interrupt import asking
from lmedge.keras_file import save_network
from lmedge.keras_model import to_uint8
from lmedge.pictures import grid
from lmedge.progress import console
from lmedge.run import Run
from lmedge.storage import replacing, write_bytes

FIXED_FACES = 128  # latents that are drawn again and again
SHOWN_FACES = 64
REAL_FACES = "real.png"
SMOOTHING = 0.99  # of the convergence measure, a step
BETTER = 0.998  # the smoothed measure must fall below this share of the best to count as better


class Plateau(keras.callbacks.Callback):
    """Halves both learning rates when the convergence measure stalls for `patience` steps, down to a floor (BEGAN,
    section 4.1)."""

    def __init__(self, floor: float, patience: int):
        super().__init__()
        self.floor, self.patience = floor, patience
        self.smooth: float | None = None
        self.best = float("inf")
        self.best_step = 0

    def state(self) -> dict[str, Any]:
        """JSON values that `load` takes back."""
        best = None if np.isinf(self.best) else self.best
        return {"smooth": self.smooth, "best": best, "best_step": self.best_step}

    def load(self, state: dict[str, Any]) -> None:
        """Goes on from a saved state."""
        self.smooth, self.best_step = state["smooth"], state["best_step"]
        self.best = float("inf") if state["best"] is None else state["best"]

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        measure, step = float((logs or {})["measure"]), self.model.done
        if not np.isfinite(measure):
            return  # the watch stops the training
        self.smooth = measure if self.smooth is None else SMOOTHING * self.smooth + (1 - SMOOTHING) * measure
        if self.smooth < BETTER * self.best:
            self.best, self.best_step = self.smooth, step
        elif step - self.best_step >= self.patience:
            rate = float(self.model.g_optimizer.learning_rate.numpy())
            self.best_step = step
            if rate > self.floor:
                for optimizer in (self.model.g_optimizer, self.model.d_optimizer):
                    optimizer.learning_rate.assign(max(rate / 2, self.floor))


class Journal(keras.callbacks.Callback):
    """log.jsonl and TensorBoard: means every N steps, what was judged, what was found. Both tell the same.

    A process that is not the chief of several keeps the sums and writes nothing.
    """

    def __init__(self, run: Run, every: int, batch: int, writes: bool = True):
        super().__init__()
        self.run, self.every, self.batch, self.writes = run, every, batch, writes
        self.sums: dict[str, float] = {}
        self.count = 0
        self.time = time.monotonic()
        self.line: dict[str, float] = {}  # the newest means
        self.board = tf.summary.create_file_writer(str(run.path / "tensorboard")) if writes else None

    def write(self, step: int, values: dict[str, Any]) -> None:
        """Adds a line of numbers or, under `event`, a sentence."""
        if self.board is None:
            return
        rounded = {name: float(f"{v:.6g}") if isinstance(v, float) else v for name, v in values.items()}
        with self.run.log_file.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, "kimg": step * self.batch / 1000, **rounded}) + "\n")
        with self.board.as_default(step):
            for name, value in values.items():
                if isinstance(value, str):
                    tf.summary.text(name, value)
                else:
                    tf.summary.scalar(name, value)

    def on_train_begin(self, logs: Any = None) -> None:
        self.time = time.monotonic()
        if self.writes:  # a continued run writes the lines after its checkpoint again
            lines = [json.dumps(line) for line in self.run.journal() if line["step"] <= self.model.done]
            write_bytes(self.run.log_file, "".join(line + "\n" for line in lines).encode())

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        for name, value in (logs or {}).items():
            self.sums[name] = self.sums.get(name, 0.0) + float(value)
        self.count += 1
        step = self.model.done
        if step % self.every:
            return
        now = time.monotonic()
        line = {name: total / self.count for name, total in self.sums.items()}
        line["learning_rate"] = float(self.model.g_optimizer.learning_rate.numpy())
        line["images_per_second"] = self.count * self.batch / (now - self.time)
        line["memory_mib"] = memory_mib()
        self.line = line
        self.write(step, line)
        self.sums, self.count, self.time = {}, 0, now

    def on_train_end(self, logs: Any = None) -> None:
        if self.board is not None:
            self.board.close()


class Pictures(keras.callbacks.Callback):
    """Grids of the averaged generator's faces from fixed latents, the first one before the first step, beside one of
    real faces; hands the faces of later ones to `look`."""

    def __init__(self, run: Run, every: int, latent: int, look: Callable[[NDArray[np.uint8]], None], writes: bool,
                 real: Callable[[], NDArray[np.uint8]]):  # fmt: skip
        super().__init__()
        self.run, self.every, self.look, self.writes, self.real = run, every, look, writes, real
        self.z = np.random.default_rng(0).uniform(-1, 1, (FIXED_FACES, latent)).astype(np.float32)

    def on_train_begin(self, logs: Any = None) -> None:
        if not self.writes:
            return
        self.run.samples.mkdir(exist_ok=True)
        if not (self.run.samples / REAL_FACES).exists():
            self._write(self.run.samples / REAL_FACES, self.real())
        if not any(self.run.samples.glob("step-*.png")):
            self._write(self._file(), self._draw())
        newest = max(path.name for path in self.run.samples.glob("step-*.png"))
        console.print(f"train-gan: pictures in {self.run.samples}: {REAL_FACES}, {newest}, more as it learns")

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if self.model.done % self.every:
            return
        images = self._draw()
        if self.writes:
            self._write(self._file(), images)
        self.look(images)

    def _file(self) -> Path:
        return self.run.samples / f"step-{self.model.done:08}.png"

    def _draw(self) -> NDArray[np.uint8]:
        return to_uint8(self.model.ema_generator(self.z))

    def _write(self, path: Path, images: NDArray[np.uint8]) -> None:
        with replacing(path) as beside:
            Image.fromarray(grid(list(images[:SHOWN_FACES]), 8)).save(beside, "PNG")


class Checkpoints(keras.callbacks.Callback):
    """Saves everything every N steps, at the end, and when asked to stop (Ctrl-C, SIGTERM).

    One checkpoint is kept to go back to: the newest that was followed by another before anything was `suspicious()`.
    """

    def __init__(self, run: Run, every: int, keep: int, state: Callable[[], dict[str, Any]],
                 suspicious: Callable[[], bool], writes: bool):  # fmt: skip
        super().__init__()
        self.run, self.every, self.keep = run, every, keep
        self.state, self.suspicious, self.writes = state, suspicious, writes
        self.saved, self.stopped, self.failed = -1, False, False
        self.good: Path | None = None  # to go back to
        self.newest: Path | None = None  # not yet proven
        self._asking: ExitStack | None = None

    def stop(self) -> None:
        """Saves after this step, and ends."""
        self.stopped = self.model.stop_training = True

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if self._asking is None:  # before its first step a sitting has nothing to save
            self._asking = ExitStack()
            self._asking.enter_context(asking(self.stop, f"saving {self.run.path}; once more ends without that."))
        if self.model.done % self.every == 0 or self.stopped:
            self.save()

    def on_train_end(self, logs: Any = None) -> None:
        self.save()
        self.release()

    def release(self) -> None:
        """Gives the signals back."""
        if self._asking is not None:
            self._asking.close()

    def save(self) -> None:
        """A checkpoint of this step and generator.keras, unless they are there."""
        if self.saved == self.model.done or self.failed or not self.writes:
            return
        if not self.suspicious():
            self.good = self.newest or self.good
        pinned = {path for path in (self.good, self.newest) if path}
        path = checkpoint.save(self.run.checkpoints, self.model, self.state(), self.keep, pinned)
        if not self.suspicious():
            self.newest = path
        self._save_generator()
        self.saved = self.model.done

    def go_back(self) -> Path | None:
        """Removes the checkpoints from after the good one, and takes the generator from that; returns it. None where
        there is none."""
        good = self.good or self.newest
        if not self.writes or good is None or not good.exists():
            return None
        for path in checkpoint.checkpoints(self.run.checkpoints):
            if path > good:
                path.unlink()
        checkpoint.restore(good, self.model)
        self._save_generator()
        return good

    def _save_generator(self) -> None:
        # The artefact computes in float32 whatever the training did.
        save_network(in_precision(self.model.ema_generator, "float32"), self.run.generator_file)


class Counter(keras.callbacks.Callback):
    """Counts steps on the Python side (`model.done`) and moves the progress line. Comes first."""

    def __init__(self, start: int, batch: int, advance: Callable[..., None]):
        super().__init__()
        self.start, self.batch, self.advance = start, batch, advance

    def on_train_begin(self, logs: Any = None) -> None:
        self.model.done = self.start

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        self.model.done += 1
        logs = logs or {}
        note = f"L(x) {logs['loss_real']:.4f}  M {logs['measure']:.4f}  k {logs['k']:.3f}  {memory_mib():,.0f} MiB"
        self.advance(self.batch, note)


def memory_mib() -> float:
    """Memory that this process holds, in MiB; 0 where the system does not say."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / (1 << 20)
    except (OSError, ValueError, AttributeError):
        return 0.0
