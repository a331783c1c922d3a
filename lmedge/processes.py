"""The executor of this machine: worker processes. Many need no TensorFlow, so this file imports none.

Each has a pipe of its own, and nobody else has an end of it: however a worker ends, be it in the middle of an answer,
its pipe ends too and the parent knows. A pipe that all workers share would stay open, and the parent wait for ever.
"""

import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count, islice
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any, ClassVar, NoReturn

from lmedge.errors import LmedgeError
from lmedge.executor import AHEAD, Answer, Job, Start
from lmedge.quiet import keep_quiet, native_stderr_off

END_SECONDS = 5.0  # for a process whose pipe has ended
# No multiprocessing.Process, which would run the user's script once more in every worker, and fail where it is not
# written for that (`if __name__ == "__main__"`).
PROGRAM = """\
import sys
from multiprocessing.connection import Connection
parent = Connection(int(sys.argv[1]))
sys.path[:] = parent.recv()
from lmedge.processes import serve
serve(parent)
"""


@dataclass(frozen=True)
class Processes:
    """An `Executor`: `workers` processes of this machine, 0 for one a core."""

    far: ClassVar[bool] = False
    workers: int = 0

    @contextmanager
    def answers(
        self, work: Callable[[Job], Answer], jobs: Iterable[Job], start: Start, parcel: int = 8, heavy: bool = False
    ) -> Iterator[Iterator[Answer]]:
        """See `Executor`."""
        crew = _Crew(work, start, self.workers or os.cpu_count() or 1)
        try:
            yield crew.answers(iter(jobs), parcel)
        finally:
            crew.end()


class Worker:
    """A process, and the parent's end of the pipe to it. `stderr` is a file that it writes its messages to, and
    otherwise those of the parent."""

    def __init__(self, stderr: int | None = None) -> None:
        self.connection, its_own = Pipe()
        command = [sys.executable, "-P", "-c", PROGRAM, str(its_own.fileno())]
        # Ctrl-C reaches every process of a terminal. It is the parent's to end, and workers end with it; one that is
        # still importing would print a page. A blocked signal stays blocked in a new process.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stderr=stderr, pass_fds=[its_own.fileno()]
            )
        finally:
            its_own.close()
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def begin(self, start: Start, work: Callable[[Any], Any]) -> None:
        """From here on it answers lists of jobs. Blocks until the process reads."""
        self.connection.send(sys.path)
        self.connection.send((start, work))

    def how_it_ended(self) -> str:
        """`SIGKILL: out of memory?`, `SIGSEGV`, `exit code 1`."""
        try:
            code = self.process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            return "it closed its pipe"
        if code >= 0:
            return f"exit code {code}"
        return "SIGKILL: out of memory?" if -code == signal.SIGKILL else signal.Signals(-code).name


class _Crew:
    """Workers, and for each a thread that gives it parcels and takes its answers."""

    def __init__(self, work: Callable[[Any], Any], start: Start, most: int):
        self._work, self._start, self._most = work, start, most
        self._workers: list[Worker] = []
        self._threads: list[threading.Thread] = []
        self._parcels: queue.SimpleQueue[tuple[int, list[Any]] | None] = queue.SimpleQueue()  # None: go home
        self._news = threading.Condition()
        self._answers: dict[int, list[Any] | Exception] = {}  # by the number of the parcel
        self._failure: Exception | None = None

    def answers(self, jobs: Iterator[Any], parcel: int) -> Iterator[Any]:
        given = 0
        for number in count():
            while given < number + AHEAD * self._most and (some := list(islice(jobs, parcel))):
                self._parcels.put((given, some))
                given += 1
                if given <= self._most:
                    self._hire()
            if number == given:
                return
            with self._news:
                # A death is told at once, though the answer that is due may be minutes away.
                self._news.wait_for(lambda due=number: due in self._answers or self._failure)  # type: ignore[misc]
                answer = self._failure or self._answers.pop(number)
            if isinstance(answer, Exception):
                raise answer
            yield from answer

    def _hire(self) -> None:
        worker = Worker()
        self._workers.append(worker)
        self._threads.append(threading.Thread(target=self._attend, args=(worker,), daemon=True))
        self._threads[-1].start()

    def _attend(self, worker: Worker) -> None:
        try:
            worker.begin(self._start, self._work)
            while given := self._parcels.get():
                number, jobs = given
                worker.connection.send(jobs)
                answer = worker.connection.recv()
                with self._news:
                    self._answers[number] = answer
                    self._news.notify_all()
        except (EOFError, OSError):
            how = worker.how_it_ended()
            self._fail(LmedgeError(f"a worker process died ({how}); run the same command again."))
        except Exception as error:  # a job or an answer that cannot travel
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        with self._news:
            self._failure = self._failure or error
            self._news.notify_all()

    def end(self) -> None:
        """Ends all, whatever they are at: what they have answered is the parent's, the rest is not wanted."""
        for worker in self._workers:
            worker.process.kill()
            self._parcels.put(None)
        for thread in self._threads:
            thread.join()
        for worker in self._workers:
            worker.connection.close()
            worker.process.wait()


def serve(parent: Connection) -> NoReturn:
    """In each worker: start, then answer parcels until the parent ends, however that is."""
    (start, args), work = parent.recv()
    parcels: queue.SimpleQueue[list[Any]] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(parent, parcels), daemon=True).start()
    keep_quiet()
    failure: Exception | None = None
    try:
        with native_stderr_off():
            start(*args)
    except Exception as error:
        failure = portable(error)
    while True:
        jobs = parcels.get()
        try:
            parent.send(failure or [work(job) for job in jobs])
        except Exception as error:
            parent.send(portable(error))


def _listen(parent: Connection, parcels: "queue.SimpleQueue[list[Any]]") -> None:
    """In a thread, so that the parent never waits to be heard, and its end is noticed during a long job."""
    try:
        while True:
            parcels.put(parent.recv())
    except (EOFError, OSError):
        os._exit(0)


def portable(error: Exception) -> Exception:
    """The error with its traceback as a note, or one that says the same where it cannot travel."""
    error.add_note("".join(traceback.format_exception(error)))
    try:
        return pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
