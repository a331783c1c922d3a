"""One of the machines of a training, as the actor of a cluster has it there: a process that trains, what it says, and
what it gives or how it ends.

The training has a process of its own beneath the actor's, with TF_CONFIG in its environment, as who starts it by hand
has it: signals reach it, it can be ended at any moment of a step, and the actor answers meanwhile. It ends with the
actor, however that ends. The actor itself never loads TensorFlow.
"""

import json
import os
import pickle
import queue
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from lmedge.processes import END_SECONDS, Worker

LOOK_SECONDS = 1.0  # the longest that one who asks for news waits


class Lost(Exception):
    """A machine is gone, or the others of its training are. The message says how."""


@dataclass(frozen=True)
class News:
    """Lines that a training has printed since it was asked last, and, where it is over, what it gave: a pickle of that,
    or an error."""

    lines: list[str]
    answer: bytes | Exception | None = None


class _Sitting:
    """A process that trains, and threads that take what it prints and what it gives."""

    def __init__(self, task: bytes, config: str | None):
        reading, writing = os.pipe()
        self.worker = Worker(stderr=writing)
        os.close(writing)
        self.answer: bytes | Exception | None = None
        self.over = threading.Event()
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, args=(reading,), daemon=True)
        self._reader.start()
        threading.Thread(target=self._attend, args=(task, config), daemon=True).start()

    def _read(self, reading: int) -> None:
        with os.fdopen(reading, encoding="utf-8", errors="replace") as lines:
            for line in lines:
                self._lines.put(line.rstrip("\n"))

    def _attend(self, task: bytes, config: str | None) -> None:
        try:
            self.worker.begin((_join, (config,)), _train)
            self.worker.connection.send([task])
            answer = self.worker.connection.recv()
            self.answer = answer if isinstance(answer, Exception) else answer[0]
        except (EOFError, OSError):
            self.answer = Lost(self.worker.how_it_ended())
        self._reader.join(END_SECONDS)  # its last lines come before its answer
        self.over.set()

    def news(self) -> News:
        """Waits for its end, but not long."""
        over = self.over.wait(LOOK_SECONDS)
        lines: list[str] = []
        with suppress(queue.Empty):
            while True:
                lines.append(self._lines.get_nowait())
        return News(lines, self.answer if over else None)


def _join(config: str | None) -> None:
    """In the process: the machines of the training, as TensorFlow wants to know them; None for this one alone."""
    if config is not None:
        os.environ["TF_CONFIG"] = config


def _train(task: bytes) -> bytes:
    """In the process: what `task`, a pickled (function, options), gives, pickled. Raises what that raises, and Lost
    where the others cannot be reached."""
    import tensorflow as tf

    from lmedge.gan.devices import take_threads

    take_threads()
    try:
        train, options = pickle.loads(task)
        return pickle.dumps(train(options))
    except tf.errors.OpError as error:  # of a collective: what it lacks of memory is said in a sentence
        raise Lost(f"{type(error).__name__}: {error.message.strip()[:200]}") from None
    finally:
        sys.stderr.flush()
        with open(os.devnull, "wb") as nowhere:  # noqa: PTH123
            os.dup2(nowhere.fileno(), 2)  # so that who reads knows that this was all


_sitting: _Sitting | None = None  # of this actor


def arrive() -> None:
    """The start of an actor has nothing to do."""


def do(job: Callable[[], Any]) -> Any:
    """A job of the actor: one of the functions below, with its arguments."""
    return job()


def address() -> str:
    """HOST:PORT by which the other nodes reach this one, of a port that is free now."""
    import ray

    host = ray.util.get_node_ip_address()
    with socket.create_server((host, 0)) as free:
        return f"{host}:{free.getsockname()[1]}"


def begin(task: bytes, machines: list[str], number: int) -> None:
    """Begins to train, as the machine `number` of these; the first is the chief."""
    global _sitting
    config = {"cluster": {"worker": machines}, "task": {"type": "worker", "index": number}}
    _sitting = _Sitting(task, json.dumps(config) if len(machines) > 1 else None)


def news() -> News:
    """What is new since the last time."""
    assert _sitting is not None
    return _sitting.news()


def stop() -> None:
    """Asks the training to save and to end, as Ctrl-C does where it runs; before its first step it ends at once."""
    assert _sitting is not None
    _sitting.worker.process.terminate()


def end() -> None:
    """Ends the training at once. Its run is free afterwards."""
    if _sitting is not None:
        _sitting.worker.process.kill()
        _sitting.over.wait(END_SECONDS)
