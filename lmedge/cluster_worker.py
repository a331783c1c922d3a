"""What an actor of a Ray cluster does, on whichever node it is."""

import dataclasses
import pickle
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from lmedge.executor import Start
from lmedge.processes import portable
from lmedge.quiet import keep_quiet
from lmedge.url import Url


def actor() -> type:
    """The class of the actors. It has no name that another process could import, so that it travels as it stands: a
    node that lacks lmedge is to say so."""

    class Worker:
        def ready(self, version: str, where: str, seen: list[str], given: bytes) -> Any:
            """Starts. Gives a sentence, or a pickled error, where something is in the way, and otherwise None."""
            import os
            import platform
            import sys

            on = f"node {platform.node()} of the cluster"
            try:
                import lmedge

                # A folder of that name where the command was typed, such as a clone.
                if getattr(lmedge, "__file__", None) is None:
                    del sys.modules["lmedge"]
                    sys.path[:] = [path for path in sys.path if path not in ("", where)]
                    import lmedge
                from lmedge.cluster_worker import Work
            except ImportError as error:
                return f"{on} lacks lmedge ({error}); install there what is installed here."
            if lmedge.__version__ != version:
                return f"{on} has lmedge {lmedge.__version__}, and here is {version}; install the same on both."
            for path in seen:
                if not os.path.exists(path):  # noqa: PTH110, as the class brings no imports
                    return f"{on} does not see {path}; put it where all nodes see it by this name."
            if os.path.isdir(where):  # noqa: PTH112
                os.chdir(where)  # which relative paths begin at
            self.work = Work(given)
            return self.work.begun

        def answers(self, jobs: bytes) -> bytes:
            """Those to a pickled parcel of jobs, pickled, or an error."""
            return self.work.answers(jobs)

    return Worker


class Work:
    """A work that was begun from the pickled (start, work). Errors travel as they do between processes, not wrapped in
    Ray's; `begun` is one of the start, pickled, or None."""

    def __init__(self, given: bytes):
        keep_quiet()
        self.begun: bytes | None = None
        try:
            start: Start
            start, self._work = pickle.loads(given)
            begin, args = start
            begin(*args)
        except Exception as error:
            self.begun = pickle.dumps(portable(error))

    def answers(self, jobs: bytes) -> bytes:
        """Those to a pickled list of jobs, or the error of one."""
        try:
            work: Callable[[Any], Any] = self._work
            return pickle.dumps([work(job) for job in pickle.loads(jobs)])
        except Exception as error:
            return pickle.dumps(portable(error))


def paths_in(thing: Any) -> set[Path]:
    """The paths in a start or a job, which a worker will want to use; in a list those of the first of it, which stands
    for the others. URLs are the same everywhere."""
    if isinstance(thing, Url):
        return set()
    if isinstance(thing, Path):
        return {thing}
    if isinstance(thing, partial):
        thing = *thing.args, *thing.keywords.values()
    if dataclasses.is_dataclass(thing) and not isinstance(thing, type):
        thing = tuple(getattr(thing, field.name) for field in dataclasses.fields(thing))
    if isinstance(thing, dict):
        thing = tuple(thing.values())
    if isinstance(thing, list):
        thing = tuple(thing[:1])
    return set().union(*map(paths_in, thing)) if isinstance(thing, tuple) else set()
