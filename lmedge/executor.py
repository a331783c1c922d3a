"""Where jobs run. The processes of this machine are one place (`lmedge.processes`); others need no more than this."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeVar

Job = TypeVar("Job")
Answer = TypeVar("Answer")
Start = tuple[Callable[..., None], tuple[Any, ...]]  # what a worker does first, and with what


class Executor(Protocol):
    """Runs jobs in workers: processes, here or on other machines.

    Jobs, answers and the arguments of a start are pickled, functions travel by their names. A worker keeps in its
    module what its start loads, and writes nothing: whoever asked for an answer does. Files that a start or a job names
    must lie where every worker sees them.
    """

    def answers(
        self, work: Callable[[Job], Answer], jobs: Iterable[Job], start: Start, parcel: int = 8
    ) -> AbstractContextManager[Iterator[Answer]]:
        """Gives an iterator over `work(job)` of every job, in the order of the jobs, by workers that each did `start`
        before. Jobs may be without end: they travel `parcel` at a time, a few parcels ahead of the answers that are
        asked for. When the block ends, workers do too, whatever they are at.

        Raises what `work` and `start` raise, and LmedgeError, at once, when a worker dies.
        """
        ...
