"""Worker processes that turn jobs into faces. They need no TensorFlow, so this file imports none."""

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any, TypeVar

from lmedge.errors import LmedgeError
from lmedge.quiet import native_stderr_off, set_variables

Answer = TypeVar("Answer")


@contextmanager
def answers_of(
    work: Callable[[Any], Answer],
    jobs: Sequence[Any],
    start_worker: tuple[Callable[..., None], tuple[Any, ...]],
    workers: int,
) -> Iterator[Iterator[Answer]]:
    """Yields an iterator over `work(job)` of every job, in order, computed by processes that each ran
    `start_worker` first. Raises LmedgeError when one of them dies."""
    if not jobs:
        yield iter(())
        return
    workers = min(workers or os.cpu_count() or 1, len(jobs))
    start, args = start_worker
    # spawn: TensorFlow's and MediaPipe's threads do not survive a fork.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, context, initializer=_start, initargs=(start, args))
    try:
        yield pool.map(work, jobs, chunksize=8)
    except BrokenProcessPool:
        raise LmedgeError("a worker process died (out of memory?); run the same command again.") from None
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _start(start: Callable[..., None], args: tuple[Any, ...]) -> None:
    """In each worker: end with the parent, however that ends, then set up."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    set_variables()

    def end_with_parent() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=end_with_parent, daemon=True).start()
    with native_stderr_off():
        start(*args)
