"""What the simulated workers of bench_cluster do: in a file of its own, as they have to import it."""

import time
from pathlib import Path


def nothing() -> None:
    """A worker's start."""


def sleep_and_write(job: tuple[Path, float]) -> str:
    """A part: its file, and how long it takes. Gives the node that made it."""
    import ray

    file, seconds = job
    time.sleep(seconds)
    file.write_bytes(bytes(1024))
    return ray.get_runtime_context().get_node_id()
