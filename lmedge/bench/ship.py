"""What timings say: which variant to ship for an interpreter, and on how many threads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lmedge.runtime.timing import Timing
from lmedge.variants import DEFAULT_THREADS, WORST_PSNR, suitable

STOCK = "stock "  # before the name of a variant that the plain converter made
SMALL = "int8-io"  # for microcontrollers; on these interpreters callers would have to quantise themselves
CLEARLY = 1.25  # times as fast, before the sentences name another variant beside the one that suits


@dataclass(frozen=True)
class Row:
    """One model on one interpreter; `refused` says why there is no timing."""

    interpreter: str
    variant: str
    bytes: int
    timing: Timing | None
    refused: str = ""


@dataclass(frozen=True)
class Shipped:
    """What to ship for an interpreter: the variant that `sample` takes too, and its threads; None where one number of
    them was timed only."""

    variant: str
    threads: int | None


def shipped_of(rows: Sequence[Row], image_psnr: Mapping[str, float | None]) -> dict[str, Shipped]:
    """For each interpreter the variant that suits it, of those that it runs; `image_psnr` as in a bundle."""
    ship: dict[str, Shipped] = {}
    for interpreter in dict.fromkeys(row.interpreter for row in rows):
        timings = _timings(rows, interpreter)
        if timings:
            variant = suitable(interpreter, {name: image_psnr.get(name) for name in timings})
            ship[interpreter] = Shipped(variant, _threads(interpreter, timings[variant]))
    return ship


def advice(rows: Sequence[Row], interpreter: str, shipped: Shipped, name: str) -> list[str]:
    """Sentences: what to ship for an interpreter of this name, and what was faster here."""
    threads = "" if shipped.threads is None else f", --threads {shipped.threads}"
    lines = [f"ship this on {name}: {shipped.variant}{threads}"]
    fewest = on_fewest_threads(rows, interpreter)
    usual = fewest[shipped.variant]
    good = {variant: timing.median_ms for variant, timing in fewest.items() if variant != SMALL and _draws_well(timing)}
    quickest = min(good, key=lambda variant: good[variant], default=shipped.variant)
    if quickest != shipped.variant and (ratio := usual.median_ms / good[quickest]) >= CLEARLY:
        lines.append(f"  {quickest} is {ratio:.1f} times as fast on this machine: --variant {quickest}")
    best = _quickest(_timings(rows, interpreter)[shipped.variant])
    if shipped.threads is not None and best.threads > shipped.threads:
        ratio = usual.median_ms / best.median_ms
        lines.append(
            f"  {best.threads} threads are {ratio:.1f} times as fast, as long as nothing else uses the cores; beside "
            "other work they are far slower than one"
        )
    return lines


def on_fewest_threads(rows: Sequence[Row], interpreter: str) -> dict[str, Timing]:
    """By variant, those of ours that the interpreter runs."""
    return {
        variant: min(timings, key=lambda timing: timing.threads)
        for variant, timings in _timings(rows, interpreter).items()
    }


def _timings(rows: Sequence[Row], interpreter: str) -> dict[str, list[Timing]]:
    """By variant, those of ours that the interpreter runs: a timing for each number of threads."""
    timings: dict[str, list[Timing]] = {}
    for row in rows:
        if row.interpreter == interpreter and row.timing and not row.variant.startswith(STOCK):
            timings.setdefault(row.variant, []).append(row.timing)
    return timings


def _threads(interpreter: str, timings: list[Timing]) -> int | None:
    """Those to run a variant on."""
    if DEFAULT_THREADS[interpreter]:
        return DEFAULT_THREADS[interpreter]
    return _quickest(timings).threads if len(timings) > 1 else None


def _quickest(timings: list[Timing]) -> Timing:
    """The timing on the fewest threads; one on more only where even its slow faces are faster than the usual one, as
    threads that wait for each other show in the former."""
    best, *others = sorted(timings, key=lambda timing: timing.threads)
    for timing in others:
        if timing.p95_ms < best.median_ms:
            best = timing
    return best


def _draws_well(timing: Timing) -> bool:
    return timing.parity is None or timing.parity.image_psnr >= WORST_PSNR
