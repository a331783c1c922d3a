"""What the simulated workers of bench_cluster do: import it, as they must be able to."""

import time
from pathlib import Path


def nothing() -> None:
    """A worker's start."""


def sleep_and_write(job: tuple[Path, float]) -> str:
    """A part: its file, and how long it takes."""
    file, seconds = job
    time.sleep(seconds)
    file.write_bytes(bytes(1024))
    return file.name
