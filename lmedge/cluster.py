"""The executor of a Ray cluster: actors on its nodes, each a process that keeps what its start loaded. Ray
(https://docs.ray.io) is imported when a cluster is used, and not before."""

import os
import pickle
import socket
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

from lmedge import __version__
from lmedge.cluster_worker import actor, paths_in
from lmedge.errors import LmedgeError, UsageError
from lmedge.executor import AHEAD, ENVIRONMENT, Answer, Job, Start
from lmedge.installation import install
from lmedge.progress import console
from lmedge.quiet import native_stderr_off

TRIES = 3  # workers that may die one after another at the same jobs, or while they start
CONNECT_SECONDS = 10.0
SAY_SECONDS, NO_WORKER_SECONDS = 20.0, 600.0  # without any worker before that is said, and before it is given up
LOOK_SECONDS = 1.0  # for Ctrl-C, and for the two above
# Bytes that a worker is declared with, so that Ray puts no more of them on a node than it holds.
LIGHT_MEMORY, HEAVY_MEMORY = 1 << 30, 4 << 30


@dataclass(frozen=True)
class Ray:
    """An `Executor`: `workers` actors of a cluster, 0 for one a core of it.

    `place`: `ray`, the cluster of the environment (RAY_ADDRESS, or one that runs on this machine), or else one of this
    machine alone that ends with the program; or `ray://HOST:PORT`. Heavy jobs get a GPU each where the cluster has
    some, and otherwise all cores of a node. A worker that dies, alone or with its node, is replaced, and what it was at
    is done again: the same job makes the same files.
    """

    far: ClassVar[bool] = True
    place: str
    workers: int = 0

    @contextmanager
    def answers(
        self, work: Callable[[Job], Answer], jobs: Iterable[Job], start: Start, parcel: int = 8, heavy: bool = False
    ) -> Iterator[Iterator[Answer]]:
        """See `Executor`. Raises LmedgeError also for a cluster that cannot be reached, another version of lmedge
        there, and files that its workers do not see; UsageError where Ray is not installed."""
        ray = connected(self.place)
        crew = _Crew(ray, *self._hands(ray, heavy), (start, work))
        try:
            yield crew.answers(iter(jobs), parcel)
        except (ray.exceptions.ObjectStoreFullError, ray.exceptions.OutOfDiskError):
            raise LmedgeError(
                f"--on {self.place}: the object store of the cluster is full; give its nodes more "
                "(ray start --object-store-memory), or take fewer --workers, and run the same command again."
            ) from None
        finally:
            crew.end()

    def _hands(self, ray: Any, heavy: bool) -> tuple[int, dict[str, Any]]:
        """The most workers that the cluster has room for, and what is declared of each."""
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        need: dict[str, Any] = {"num_cpus": 1, "memory": LIGHT_MEMORY}
        if heavy and any(node.get("GPU") for node in nodes):
            need = {"num_cpus": 1, "num_gpus": 1, "memory": HEAVY_MEMORY}
        elif heavy:
            cores = min((int(node["CPU"]) for node in nodes if node.get("CPU")), default=1)
            need = {"num_cpus": cores, "memory": HEAVY_MEMORY}
        asks = {"CPU": need["num_cpus"], "GPU": need.get("num_gpus", 0), "memory": need["memory"]}
        most = sum(min(int(node.get(name, 0) / asked) for name, asked in asks.items() if asked) for node in nodes)
        if not most:  # a node has less memory than is wanted: then it has what it has
            del need["memory"]
            most = 1
        return min(self.workers or most, most), need


def connected(place: str) -> Any:
    """Ray, connected to the cluster of a place. Raises UsageError where it is not installed, LmedgeError where no
    cluster of this version answers."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it would tell its makers
    try:
        import ray
    except ImportError:
        raise UsageError(f"--on {place}: needs ray, not installed here; {install('ray')}.") from None
    if ray.is_initialized():
        return ray
    with suppress(AttributeError):  # what it prints of nodes that are gone would stand between results, on stdout
        ray._private.worker._worker_logs_enabled = False
    try:
        _connect(ray, place)
    except LmedgeError:
        raise
    except Exception as error:  # gRPC's, Ray's own, and RuntimeError for another version of Ray or Python
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        reason = " ".join(lines)[:300].rstrip(" .") or type(error).__name__
        if "mismatch" in reason:
            raise LmedgeError(f"--on {place}: another version of Ray or Python is there ({reason}).") from None
        raise LmedgeError(
            f"--on {place}: the cluster does not take this program ({reason}); where it asks for a token, set "
            "RAY_AUTH_MODE=token and RAY_AUTH_TOKEN."
        ) from None
    return ray


def _connect(ray: Any, place: str) -> None:
    quiet: dict[str, Any] = {"logging_level": "error", "log_to_driver": False}
    said = place if place != ENVIRONMENT else os.environ.get("RAY_ADDRESS", "auto")
    there = urlsplit(said if "://" in said else f"//{said}")
    if there.port:
        try:  # Ray would try again for minutes
            socket.create_connection((there.hostname, there.port), CONNECT_SECONDS).close()
        except OSError as error:
            raise _nobody(
                place if place == said else f"{place} (RAY_ADDRESS={said})", error.strerror or str(error)
            ) from None
    with native_stderr_off():  # it logs each time that it tries
        try:
            ray.init(said, **quiet)
        except ConnectionError:
            if said != "auto":
                raise
            ray.init("local", include_dashboard=False, **quiet)  # of this machine, as none runs


def _nobody(place: str, reason: str) -> LmedgeError:
    return LmedgeError(f"--on {place}: no cluster answers there ({reason}); start one with `ray start --head`.")


@dataclass
class _Parcel:
    number: int
    jobs: bytes
    deaths: int = 0


class _Crew:
    """The actors of one work. Only those that have started get parcels: one that waits for a core would hold its own
    up."""

    def __init__(self, ray: Any, most: int, need: dict[str, Any], given: tuple[Start, Callable[[Any], Any]]):
        self._ray, self._most = ray, most
        self._actor = ray.remote(max_restarts=0, **need)(actor())
        self._given = pickle.dumps(given)
        self._seen = seen(given[0][1])
        self._starting: dict[Any, Any] = {}  # reference -> actor
        self._busy: dict[Any, tuple[Any, _Parcel]] = {}
        self._idle: list[Any] = []
        self._waiting: deque[_Parcel] = deque()
        self._done: dict[int, list[Any]] = {}
        self._unborn = 0  # died while they started, one after another
        self._since, self._said = time.monotonic(), False  # there was a worker; that there is none was said

    def answers(self, jobs: Iterator[Any], parcel: int) -> Iterator[Any]:
        given = 0
        for number in count():
            while given < number + AHEAD * self._most and (some := list(islice(jobs, parcel))):
                if not given:
                    self._seen |= seen(some)
                self._waiting.append(_Parcel(given, pickle.dumps(some)))
                given += 1
                if given <= self._most:
                    self._hire()
            if number == given:
                return
            while number not in self._done:
                self._give()
                self._hear()
            yield from self._done.pop(number)

    def _hire(self) -> None:
        new = self._actor.remote()
        self._starting[new.ready.remote(__version__, str(Path.cwd()), sorted(self._seen), self._given)] = new

    def _give(self) -> None:
        while self._idle and self._waiting:
            free, parcel = self._idle.pop(), self._waiting.popleft()
            self._busy[free.answers.remote(parcel.jobs)] = free, parcel

    def _hear(self) -> None:
        """Waits for news of the actors, and raises what they have to say if that is an error."""
        if self._idle or self._busy:
            self._since, self._said = time.monotonic(), False
        elif (alone := time.monotonic() - self._since) > NO_WORKER_SECONDS:
            raise LmedgeError("no node of the cluster has taken a worker for 10 minutes; the same command goes on when "
                              "one does.")  # fmt: skip
        elif alone > SAY_SECONDS and not self._said:
            console.print("waiting for a node of the cluster to take a worker")
            self._said = True
        waited = [*self._starting, *self._busy]
        if not self._ray.wait(waited, timeout=LOOK_SECONDS)[0]:
            return
        for reference in self._ray.wait(waited, num_returns=len(waited), timeout=0)[0]:
            if (started := self._starting.pop(reference, None)) is not None:
                self._has_started(started, reference)
            else:
                self._has_answered(*self._busy.pop(reference), reference)

    def _has_started(self, new: Any, reference: Any) -> None:
        try:
            obstacle = self._ray.get(reference)
        except gone(self._ray) as error:
            self._unborn += 1
            if self._unborn == TRIES:
                reason = str(error).splitlines()[0][:200]
                raise LmedgeError(
                    f"{TRIES} workers of the cluster died while they started ({reason}); see Ray's log there."
                ) from None
            self._replace(new)
            return
        refuse(obstacle)
        self._unborn = 0
        self._idle.append(new)

    def _has_answered(self, free: Any, parcel: _Parcel, reference: Any) -> None:
        try:
            answer = pickle.loads(self._ray.get(reference))
        except gone(self._ray):
            parcel.deaths += 1
            if parcel.deaths == TRIES:
                raise LmedgeError(
                    f"{TRIES} workers of the cluster died one after another at the same jobs (out of memory?); what is "
                    "whole is kept, and the same command goes on."
                ) from None
            console.print("a worker of the cluster died; another one does again what it was at")
            self._waiting.appendleft(parcel)
            self._replace(free)
            return
        if isinstance(answer, Exception):
            raise answer
        self._idle.append(free)
        self._done[parcel.number] = answer

    def _replace(self, lost: Any) -> None:
        self._ray.kill(lost)  # Ray may only have lost sight of it
        self._hire()

    def end(self) -> None:
        """Ends all, whatever they are at."""
        if self._ray.is_initialized():
            for one in (*self._idle, *self._starting.values(), *(busy for busy, _ in self._busy.values())):
                self._ray.kill(one)


def gone(ray: Any) -> tuple[type[Exception], ...]:
    """What Ray raises for an actor that is no more, or whose answer went with its node."""
    return ray.exceptions.RayActorError, ray.exceptions.ObjectLostError


def refuse(obstacle: Any) -> None:
    """Raises what an actor said was in the way of its start; None is nothing."""
    if isinstance(obstacle, str):
        raise LmedgeError(obstacle)
    if obstacle is not None:
        raise pickle.loads(obstacle)


def seen(thing: Any) -> set[str]:
    """What workers have to see of the paths in it: those that are here, and for others the folder they will be in."""
    return {str(path if path.exists() else path.parent) for path in map(Path.absolute, paths_in(thing))}
