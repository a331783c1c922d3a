"""What a bench has measured, for a terminal: a table, and what follows from it."""

from rich.console import Console
from rich.table import Table

from lmedge.bench.bench import Bench
from lmedge.bench.ship import STOCK, advice, on_fewest_threads
from lmedge.printable import print_text as print
from lmedge.runtime.timing import Timing


def show(result: Bench) -> None:
    """Prints both."""
    # A table is not folded where it goes into a file.
    wide = Console(highlight=False)
    Console(highlight=False, width=max(wide.width, 160)).print(table(result))
    for line in conclusions(result):
        print(line)


def table(result: Bench) -> Table:
    """The rows for a terminal. Ratios are to the stock model of the same variant where there is one."""
    stock = {(row.interpreter, row.variant.removeprefix(STOCK), row.timing.threads): row.timing.median_ms
             for row in result.rows if row.timing and row.variant.startswith(STOCK)}  # fmt: skip
    names = ("runtime", "variant", "KiB", "threads", "load ms", "first ms", "ms", "p95 ms", "faces/s", "MiB", "XNNPACK",
             "image dB", "NME", *(("x stock",) if stock else ()))  # fmt: skip
    view = Table(*names, box=None)
    for row in result.rows:
        cells = [row.interpreter, row.variant, f"{row.bytes / 1024:.0f}"]
        timing = row.timing
        if timing is None:
            view.add_row(*cells, "-", "refused")
            continue
        cells += [str(timing.threads), f"{timing.load_ms:.1f}", f"{timing.first_ms:.2f}", f"{timing.median_ms:.3f}",
                  f"{timing.p95_ms:.3f}", f"{timing.per_second:.0f}", f"{timing.peak_mib:.1f}",
                  _xnnpack(timing)]  # fmt: skip
        parity = timing.parity
        cells += [f"{parity.image_psnr:.1f}", f"{parity.landmark_nme:.2%}"] if parity else ["-", "-"]
        key = row.interpreter, row.variant, timing.threads
        if stock:
            cells.append(f"{stock[key] / timing.median_ms:.2f}" if key in stock else "-")
        view.add_row(*cells)
    return view


def _xnnpack(timing: Timing) -> str:
    if timing.outside is None or timing.partitions is None:
        return "?"
    left = sum(timing.outside.values())
    parts = f"{timing.partitions} part{'s' * (timing.partitions > 1)}" if timing.partitions else "no part"
    return f"{parts}, {left} out" if left else f"{parts}, all in"


def conclusions(result: Bench) -> list[str]:
    """What follows from the rows, as sentences."""
    lines = []
    refused = dict.fromkeys((row.interpreter, row.variant, row.refused) for row in result.rows if row.refused)
    lines += [f"{result.machine['interpreters'][name]} refuses {variant}: {why}" for name, variant, why in refused]
    for interpreter, shipped in result.ship.items():
        variant = shipped.variant
        timings = on_fewest_threads(result.rows, interpreter)
        name = result.machine["interpreters"][interpreter]
        parts = result.parts.get(interpreter)
        if parts:
            share = parts["landmarks"] / parts["generate"]
            lines.append(f"{name}, {variant}: the landmarks take {share:.1%} of the time of the image")
        mesh, whole = result.face_mesh.get("median_ms"), timings[variant]
        if mesh:
            ratio = ((parts or {}).get("generate", whole.median_ms) + mesh) / whole.median_ms
            found = f"found {result.face_mesh['found']} of {result.face_mesh['faces']}"
            lines.append(
                f"{name}, {variant}: face and landmarks {ratio:.1f} times faster than drawing and Face Mesh "
                f"({mesh:.1f} ms, {found})"
            )
    if "skipped" in result.face_mesh:
        lines.append(f"Face Mesh was not timed: {result.face_mesh['skipped']}")
    for interpreter, shipped in result.ship.items():
        lines += advice(result.rows, interpreter, shipped, result.machine["interpreters"][interpreter])
    return lines
