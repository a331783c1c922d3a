"""What Ctrl-C does to a command line, at any moment of it.

Python alone raises KeyboardInterrupt in the main thread, between two of its instructions. That is late while native
code runs, and it is lost where libraries swallow what is raised: in imports, finalisers and callbacks. So a thread
listens too. Only the process of `lmedge` starts it; who calls the stages from Python keeps Python's handling.
"""

import os
import select
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

STOPPED = "stopped; what was finished is kept, and the same command goes on from there."
EXIT_CODE = 130  # of a shell's command that SIGINT has ended
GRACE = 5.0  # seconds that blocks have to tidy up, and that an exception has to arrive
IMPORTING = "<frozen importlib._bootstrap>"
SHOW_CURSOR = "\x1b[?25h"  # a bar hides it


class _Listener:
    """The thread that reads the signals from a pipe, which their C handler writes to."""

    def __init__(self) -> None:
        self.pressed = self.over = False
        self.ending = threading.Lock()
        self.asked: str | None = None  # what to say, where somebody saves and then ends
        self.answering, self.answered = threading.Lock(), False
        self.stderr = os.dup(2)  # others redirect 2 for a while
        self.reading, writing = os.pipe()
        os.set_blocking(writing, False)
        signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        signal.signal(signal.SIGINT, self.handle)
        sys.unraisablehook = self.unraisable
        threading.Thread(target=self.listen, name="interrupt", daemon=True).start()

    def handle(self, number: int, frame: FrameType | None) -> None:
        """In the main thread."""
        self.pressed = True
        if _importing(frame):
            self.end()
        raise KeyboardInterrupt

    def unraisable(self, what: Any) -> None:
        """A finaliser or a callback has swallowed an exception."""
        if what.exc_type is KeyboardInterrupt:
            self.end()
        sys.__unraisablehook__(what)

    def listen(self) -> None:
        while True:
            self.wait(None)
            if self.answer():
                self.wait(None)
            else:
                self.wait(GRACE)
            if self.over:
                return
            self.end()

    def wait(self, seconds: float | None) -> None:
        """For the next SIGINT, or for SIGTERM where somebody listens to it, but not longer than `seconds`."""
        if select.select([self.reading], [], [], seconds)[0]:
            os.read(self.reading, 1)

    def answer(self) -> bool:
        """Says what was asked to be said, if it was, and once; returns whether it is said. Who ends at once may come
        before the thread that listens."""
        with self.answering:
            if self.asked is not None and not self.answered:
                self.answered = True
                self.say(self.asked)
            return self.answered

    def say(self, sentence: str) -> None:
        start = f"{SHOW_CURSOR}\n" if os.isatty(self.stderr) else ""
        os.write(self.stderr, f"{start}lmedge: {sentence}\n".encode())

    def end(self) -> None:
        """Ends the process as it stands: files are whole or beside, and workers end with their parent."""
        self.ending.acquire()  # for one thread only
        self.say(STOPPED)
        os._exit(EXIT_CODE)


_listener: _Listener | None = None


def listen() -> None:
    """From now on Ctrl-C ends this process, with one sentence and exit code 130: at once during an import and where it
    comes a second time, otherwise by KeyboardInterrupt, or after a few seconds if that does not arrive."""
    global _listener
    if _listener is None:
        _listener = _Listener()


def finish(code: int) -> int:
    """The work is done and said; Ctrl-C shall not spoil the end of the process. One that was stopped ends here: its
    native threads may still be at work, and the end of the interpreter waits for them, or crashes in them."""
    if _listener is not None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        _listener.over = True
        if code == EXIT_CODE:
            for stream in (sys.stdout, sys.stderr):
                with suppress(OSError, ValueError):
                    stream.flush()
            os._exit(code)
    return code


def pressed() -> bool:
    """Was Ctrl-C pressed? What follows from it may look like any other failure."""
    return _listener is not None and _listener.pressed


@contextmanager
def asking(stop: Callable[[], None], sentence: str) -> Iterator[None]:
    """Inside, the first Ctrl-C, SIGTERM or end of the terminal calls `stop`, between two steps of Python, and a command
    line says `sentence` at once; a second one ends the process. In a thread other than the main one nothing changes."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    first = True

    def handle(*_: Any) -> None:
        nonlocal first
        if not first:
            _listener.end() if _listener is not None else os._exit(EXIT_CODE)
        first = False
        stop()

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    if signal.getsignal(signal.SIGHUP) == signal.SIG_DFL:  # not under nohup
        before[signal.SIGHUP] = signal.signal(signal.SIGHUP, handle)
    if _listener is not None:
        _listener.asked, _listener.answered = sentence, False
    try:
        yield
    finally:
        if _listener is not None:
            if not first:
                _listener.answer()
            _listener.asked = None
        for number, handler in before.items():
            signal.signal(number, handler)


def _importing(frame: FrameType | None) -> bool:
    """Is this the stack of an import?"""
    while frame is not None:
        if frame.f_code.co_filename == IMPORTING:
            return True
        frame = frame.f_back
    return False
