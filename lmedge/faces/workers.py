"""Worker processes that turn jobs into faces. They need no TensorFlow, so this file imports none."""

import multiprocessing
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import islice
from typing import Any, TypeVar

from lmedge.errors import LmedgeError
from lmedge.quiet import native_stderr_off, set_variables

Answer = TypeVar("Answer")
AHEAD = 4  # parcels of jobs that wait for each worker; more jobs stay where they come from


@contextmanager
def answers_of(
    work: Callable[[Any], Answer],
    jobs: Iterable[Any],
    start_worker: tuple[Callable[..., None], tuple[Any, ...]],
    workers: int,
    parcel: int = 8,
) -> Iterator[Iterator[Answer]]:
    """Yields an iterator over `work(job)` of every job, in order, computed by processes that each ran
    `start_worker` first. Jobs may be without end: they travel in parcels, a few ahead of the answers that are asked
    for. Raises LmedgeError when a worker dies."""
    start, args = start_worker
    workers = workers or os.cpu_count() or 1
    # spawn: TensorFlow's and MediaPipe's threads do not survive a fork.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, context, initializer=_start, initargs=(start, args))
    try:
        yield _in_order(pool, work, iter(jobs), parcel, AHEAD * workers)
    except BrokenProcessPool:
        raise LmedgeError("a worker process died (out of memory?); run the same command again.") from None
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _in_order(
    pool: ProcessPoolExecutor, work: Callable[[Any], Answer], jobs: Iterator[Any], parcel: int, ahead: int
) -> Iterator[Answer]:
    waiting: deque[Future[list[Answer]]] = deque()
    while True:
        while len(waiting) < ahead and (some := list(islice(jobs, parcel))):
            waiting.append(pool.submit(_parcel, work, some))
        if not waiting:
            return
        yield from waiting.popleft().result()


def _parcel(work: Callable[[Any], Answer], jobs: list[Any]) -> list[Answer]:
    return [work(job) for job in jobs]


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
