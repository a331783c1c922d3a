"""Progress with a rate and the time left, on a terminal and in a log file."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from lmedge.printable import print_text, printable


class _Console(Console):
    def print(self, *values: Any, **options: Any) -> None:
        """As Console.print; texts are made printable."""
        super().print(*(printable(value) if isinstance(value, str) else value for value in values), **options)


# Messages and progress go to stderr, so that what a verb prints on stdout can be piped.
console = _Console(stderr=True, highlight=False, soft_wrap=True, markup=False)
LOG_SECONDS = 20.0  # between lines when stderr is not a terminal


class _Done(ProgressColumn):
    def __init__(self, unit: str, thousands: bool):
        super().__init__()
        self.unit, self.thousands = unit, thousands

    def render(self, task: Task) -> Text:
        return Text(_done(task.completed, task.total or 0, self.unit, self.thousands))


class _Rate(ProgressColumn):
    def __init__(self, unit: str):
        super().__init__()
        self.unit = unit

    def render(self, task: Task) -> Text:
        rate = task.finished_speed or task.speed
        return Text(speed(rate, self.unit) if rate else f"- {self.unit}/s")


def _done(done: float, total: float, unit: str, thousands: bool) -> str:
    return f"{done / 1000:.1f}/{total / 1000:g} k{unit}" if thousands else f"{done:.0f}/{total:.0f}"


def speed(rate: float, unit: str) -> str:
    """`12.3 faces/s`; of what takes longer, `4.2 s each`."""
    return f"{1 / rate:.1f} s each" if 0 < rate < 1 else f"{rate:.1f} {unit}/s"


def clock(seconds: float) -> str:
    """75 -> `1:15`, 3700 -> `1:01:40`."""
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


@contextmanager
def progress(
    label: str, total: int, unit: str, done: int = 0, thousands: bool = False
) -> Iterator[Callable[..., None]]:
    """Shows how far a long job has come; yields `advance(count=1, note="")`.

    `done` of `total` were there before this call (a continued run) and do not count into the rate.
    `thousands` shows 12.3/400 kimg for unit img. On a terminal it is a bar; elsewhere a line every 20 s.
    """
    if console.is_terminal:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            _Done(unit, thousands),
            _Rate(unit),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}", markup=False),
        )
        with Progress(*columns, console=console) as bar:
            task = bar.add_task(label, total=total, completed=done, note="")
            yield lambda count=1, note="": bar.update(task, advance=count, note=printable(note))
        return

    start = shown = time.monotonic()
    here, last = 0, ""

    def line(note: str) -> None:
        rate = here / max(time.monotonic() - start, 1e-9)
        left = clock(max(total - done - here, 0) / rate) if rate else "?"  # a video may not know how long it is
        far = _done(done + here, total, unit, thousands)
        pace = f"  {speed(rate, unit)}  {left} left" if here or done < total else ""
        text = f"{label}: {far}{pace}  {note}".rstrip()
        print_text(text, file=sys.stderr, flush=True)

    def advance(count: int = 1, note: str = "") -> None:
        nonlocal here, shown, last
        here, last = here + count, note
        if time.monotonic() - shown >= LOG_SECONDS:
            shown = time.monotonic()
            line(note)

    yield advance
    line(last)
