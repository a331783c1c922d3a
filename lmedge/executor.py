"""Where jobs run. The processes of this machine are one place (`lmedge.processes`), a cluster of machines is another
(`lmedge.cluster`)."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Any, ClassVar, Protocol, TypeVar

Job = TypeVar("Job")
Answer = TypeVar("Answer")
Start = tuple[Callable[..., None], tuple[Any, ...]]  # what a worker does first, and with what
LOCAL, ENVIRONMENT = "local", "ray"  # places: this machine, and the cluster of the environment
AHEAD = 4  # parcels of jobs for each worker that are given before their answers are asked for


class Executor(Protocol):
    """Runs jobs in workers: processes, here or on other machines.

    Jobs, answers and the arguments of a start are pickled, functions travel by their names. A worker keeps in its
    module what its start loads. Files that a start or a job names must lie where every worker sees them.

    `far`: are workers on other machines? Then jobs are parts of a work, which workers write themselves, in one step
    each, and answers are notes of them: all that is made would otherwise pass through one machine. Where it is false
    nobody but who asked for an answer writes.
    """

    far: ClassVar[bool]

    def answers(
        self,
        work: Callable[[Job], Answer],
        jobs: Iterable[Job],
        start: Start,
        parcel: int = 8,
        heavy: bool = False,
    ) -> AbstractContextManager[Iterator[Answer]]:
        """Gives an iterator over `work(job)` of every job, in the order of the jobs, by workers that each did `start`
        before. Jobs may be without end: they travel `parcel` at a time, a few parcels ahead of the answers that are
        asked for. `heavy` ones compute with TensorFlow. When the block ends, workers do too, whatever they are at.

        Raises what `work` and `start` raise, and LmedgeError when a worker died for good.
        """
        ...
