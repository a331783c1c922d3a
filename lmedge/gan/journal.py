"""What a training writes down: log.jsonl, and the same for TensorBoard."""

import json
import os
import time
from pathlib import Path
from typing import Any

import tensorflow as tf

from lmedge.gan.training import Callback, Training
from lmedge.run import Run
from lmedge.storage import write_bytes


class Journal(Callback):
    """log.jsonl and TensorBoard: means every N steps, what was judged, what was found. Both tell the same.

    A process that is not the chief of several keeps the sums and writes nothing.
    """

    def __init__(self, run: Run, every: int, writes: bool = True):
        self.run, self.every, self.writes = run, every, writes
        self.sums: dict[str, float] = {}
        self.count = 0
        self.time = time.monotonic()
        self.board = tf.summary.create_file_writer(str(run.path / "tensorboard")) if writes else None

    def write(self, training: Training, values: dict[str, Any]) -> None:
        """Adds a line of numbers or, under `event`, a sentence."""
        if self.board is None:
            return
        rounded = {name: float(f"{v:.6g}") if isinstance(v, float) else v for name, v in values.items()}
        with self.run.log_file.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": training.step, "kimg": training.kimg, **rounded}) + "\n")
        with self.board.as_default(training.step):
            for name, value in values.items():
                if isinstance(value, str):
                    tf.summary.text(name, value)
                else:
                    tf.summary.scalar(name, value)

    def begin(self, training: Training) -> None:
        self.time = time.monotonic()
        if self.writes:  # a continued run writes the lines after its checkpoint again
            lines = [json.dumps(line) for line in self.run.journal() if line["step"] <= training.step]
            write_bytes(self.run.log_file, "".join(line + "\n" for line in lines).encode())

    def after_step(self, training: Training) -> None:
        for name, value in training.figures.items():
            self.sums[name] = self.sums.get(name, 0.0) + value
        self.count += 1
        if training.step % self.every:
            return
        now = time.monotonic()
        line = {name: total / self.count for name, total in self.sums.items()}
        line["learning_rate"] = training.rate
        line["images_per_second"] = self.count * training.batch / (now - self.time)
        line["memory_mib"] = memory_mib()
        training.line = line
        self.write(training, line)
        self.sums, self.count, self.time = {}, 0, now

    def end(self, training: Training) -> None:
        if self.board is not None:
            self.board.close()


def memory_mib() -> float:
    """Memory that this process holds, in MiB; 0 where the system does not say."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / (1 << 20)
    except (OSError, ValueError, AttributeError):
        return 0.0
