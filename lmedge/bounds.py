"""What numbers may be: refusals that name the option, quote the value and say the bounds, for the command line and for
Python. Needs nothing but Python, as it runs on the device."""

import operator
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, SupportsIndex

from lmedge.errors import UsageError

LARGEST_SEED = (1 << 64) - 1  # of SplitMix64, from which latents are drawn
MOST = 1_000_000_000  # of whatever is counted, where nothing else bounds it: beyond it is a slip of the keyboard
WORKERS_PER_CORE = 4
LEAST_TRUNCATION = 0.01  # of latents: at 0 all faces are one


def require(option: str, value: float, least: float, most: float = MOST, why: str = "") -> None:
    """Refuses a number out of range, and what is no number; `why` follows the bounds. Raises UsageError."""
    try:
        inside = least <= value <= most  # false for nan
    except TypeError:
        inside = False
    if not inside:
        open_ended = most == MOST and not (isinstance(value, int | float) and value > most)
        bounds = f"at least {_text(least)}" if open_ended else f"between {_text(least)} and {_text(most)}"
        raise UsageError(f"{option} must be {bounds}{why}, not {_text(value)}.")


def require_whole(option: str, value: SupportsIndex, least: int, most: int = MOST, why: str = "") -> int:
    """Refuses what is no whole number, or out of range; returns it as an int. Raises UsageError."""
    try:
        number = operator.index(value)
    except TypeError:
        raise UsageError(f"{option} must be a whole number, not {_text(value)}.") from None
    require(option, number, least, most, why)
    return number


def require_seed(option: str, value: SupportsIndex) -> int:
    """Refuses a seed that is not of 64 bits, without a sign; returns it. Raises UsageError."""
    return require_whole(option, value, 0, LARGEST_SEED)


def require_threads(option: str, value: SupportsIndex, least: int = 0) -> int:
    """Refuses more threads than cores, with which interpreters crawl or crash; returns them. Raises UsageError."""
    return require_whole(option, value, least, cores(), " (the cores of this machine)")


def require_workers(option: str, value: SupportsIndex) -> int:
    """Refuses more workers than a machine bears; returns them. Raises UsageError."""
    return require_whole(option, value, 0, WORKERS_PER_CORE * cores(), f" ({WORKERS_PER_CORE} a core)")


def require_size(size: int) -> None:
    """Refuses a face size that the networks cannot make: they double from 8 pixels. Raises UsageError."""
    if size not in (16, 32, 64, 128, 256):
        raise UsageError(f"--size must be 16, 32, 64, 128 or 256, not {_text(size)}.")


def cores() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _text(value: object) -> str:
    """A value as sentences quote it."""
    if isinstance(value, int):
        return str(value)
    return f"{value:g}" if isinstance(value, float) else repr(value)[:60]


@dataclass(frozen=True)
class Check:
    """What stands beside the type of an option: `refuse(option, value)` raises UsageError for a wrong value."""

    refuse: Callable[[str, Any], object]


def within(least: float, most: float = MOST) -> Check:
    """A number between two others, both included."""
    return Check(lambda option, value: require(option, value, least, most))


def whole(least: int, most: int = MOST) -> Check:
    """A whole number between two others, both included."""
    return Check(lambda option, value: require_whole(option, value, least, most))


# The types of options of which there are several.
Count = Annotated[int, whole(1)]
Steps = Annotated[int, whole(1, 10_000_000)]
Batch = Annotated[int, whole(1, 65_536)]
Share = Annotated[float, within(0, 1)]
Degrees = Annotated[float, within(-90, 90)]  # of yaw
Gap = Annotated[float, within(0, 2)]  # of the inner lips, in inter-ocular distances
Truncation = Annotated[float, within(LEAST_TRUNCATION, 1)]
Rate = Annotated[float, within(1e-9, 1)]  # of Adam
Kimg = Annotated[float, within(0.001, 1_000_000)]
Seed = Annotated[int, Check(require_seed)]
TrainingSeed = Annotated[int, whole(0, (1 << 32) - 1)]  # NumPy and Keras take no longer ones
Threads = Annotated[int, Check(require_threads)]
Workers = Annotated[int, Check(require_workers)]
Size = Annotated[int, Check(lambda option, value: require_size(value))]
