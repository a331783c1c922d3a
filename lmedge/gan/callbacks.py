"""What happens between the steps of a training: rate decay, log, pictures, checkpoints, progress."""

import json
import os
import signal
import time
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from PIL import Image

from lmedge.config import TrainBeganConfig
from lmedge.errors import LmedgeError
from lmedge.gan import checkpoint
from lmedge.gan.networks import build_generator, to_uint8
from lmedge.landmarks import grid
from lmedge.run import Run, save_network
from lmedge.storage import replacing, write_bytes

SMOOTHING = 0.99  # of the convergence measure, a step
BETTER = 0.998  # the smoothed measure must fall below this share of the best to count as better


class Plateau(keras.callbacks.Callback):
    """Halves both learning rates when the convergence measure stalls, down to a floor (BEGAN, section 4.1)."""

    def __init__(self, config: TrainBeganConfig):
        super().__init__()
        self.floor, self.patience = config.learning_rate_floor, config.patience
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
            raise LmedgeError(
                f"the loss is {measure} at step {step}; the last checkpoint is whole: continue from it with a "
                "lower --learning-rate in a new --run, or with --precision float32."
            )
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
    """A line of log.jsonl every N steps (means over them), and the same for TensorBoard."""

    def __init__(self, run: Run, every: int, batch: int):
        super().__init__()
        self.run, self.every, self.batch = run, every, batch
        self.sums: dict[str, float] = {}
        self.count = 0
        self.time = time.monotonic()
        self.board = tf.summary.create_file_writer(str(run.path / "tensorboard"))

    def cut(self, step: int) -> None:
        """Drops the lines after `step`: a continued run writes them again."""
        lines = [json.dumps(line) for line in self.run.log() if line["step"] <= step]
        write_bytes(self.run.log_file, "".join(line + "\n" for line in lines).encode())

    def on_train_begin(self, logs: Any = None) -> None:
        self.time = time.monotonic()

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
        with self.run.log_file.open("a", encoding="utf-8") as file:
            rounded = {name: float(f"{value:.6g}") for name, value in line.items()}
            file.write(json.dumps({"step": step, "kimg": step * self.batch / 1000, **rounded}) + "\n")
        with self.board.as_default(step):
            for name, value in line.items():
                tf.summary.scalar(name, value)
        self.sums, self.count, self.time = {}, 0, now

    def on_train_end(self, logs: Any = None) -> None:
        self.board.close()


class Pictures(keras.callbacks.Callback):
    """Grids of the averaged generator's faces from fixed latents."""

    def __init__(self, run: Run, every: int, latent: int, count: int = 64):
        super().__init__()
        self.run, self.every = run, every
        self.z = np.random.default_rng(0).uniform(-1, 1, (count, latent)).astype(np.float32)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        step = self.model.done
        if step % self.every:
            return
        self.run.samples.mkdir(exist_ok=True)
        images = to_uint8(self.model.ema_generator(self.z))
        with replacing(self.run.samples / f"step-{step:08}.png") as beside:
            Image.fromarray(grid(list(images), 8)).save(beside, "PNG")


class Checkpoints(keras.callbacks.Callback):
    """Saves everything every N steps, at the end, and when asked to stop (Ctrl-C, SIGTERM)."""

    def __init__(self, run: Run, config: TrainBeganConfig, plateau: Plateau, size: int):
        super().__init__()
        self.run, self.every, self.keep = run, config.checkpoint_every, config.keep_checkpoints
        self.plateau, self.saved, self.stopped = plateau, -1, False
        assert config.width is not None
        self.shape = (size, config.width, config.latent)
        self._handlers: dict[int, Any] = {}

    def on_train_begin(self, logs: Any = None) -> None:
        def stop(*_: Any) -> None:
            if self.stopped:  # the second time at once
                os._exit(130)
            self.stopped = self.model.stop_training = True

        for number in (signal.SIGINT, signal.SIGTERM):
            self._handlers[number] = signal.signal(number, stop)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if self.model.done % self.every == 0 or self.stopped:
            self.save()

    def on_train_end(self, logs: Any = None) -> None:
        self.save()
        self.release()

    def release(self) -> None:
        """Gives the signals back."""
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._handlers = {}

    def save(self) -> None:
        """A checkpoint of this step and generator.keras, unless they are there."""
        if self.saved == self.model.done:
            return
        checkpoint.save(self.run.checkpoints, self.model, {"plateau": self.plateau.state()}, self.keep)
        # The artefact computes in float32 whatever the training did.
        generator = build_generator(*self.shape)
        generator.set_weights(self.model.ema_generator.get_weights())
        save_network(generator, self.run.generator_file)
        self.saved = self.model.done


class Counter(keras.callbacks.Callback):
    """Counts steps on the Python side (`model.done`) and moves the progress line. Comes first."""

    def __init__(self, start: int, advance: Callable[..., None]):
        super().__init__()
        self.start, self.advance = start, advance

    def on_train_begin(self, logs: Any = None) -> None:
        self.model.done = self.start

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        self.model.done += 1
        logs = logs or {}
        self.advance(1, f"L(x) {logs['loss_real']:.4f}  M {logs['measure']:.4f}  k {logs['k']:.3f}")
