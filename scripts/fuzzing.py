"""The engine of scripts/fuzz: changes inputs, runs them in a child process, and says which did what nothing may do."""

import copy
import json
import multiprocessing
import os
import re
import shutil
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lmedge.errors import LmedgeError

Random = np.random.Generator
EXTREMES = (0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 1 << 28)
NUMBERS = ("1e38", "-1e38", "1e999", "nan", "inf", "-1", "0", "", "x", "9" * 400, "0x10", "1_0", "٣")
VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 0.5, 1 << 40, 1 << 80, 1e308, float("nan"), float("inf"), "", "x", "1", "../../etc/passwd",
    "\x1b[2J", "\0", "\ud800", [], {}, [[]], [None], {"": None},
)  # fmt: skip


@dataclass(frozen=True)
class Finding:
    """What an input did: the target's name, seed and number of the case make it again; `what` in a line."""

    target: str
    seed: int
    case: int
    what: str
    details: str = ""


@dataclass(frozen=True)
class Target:
    """Inputs of one kind. `seeds` makes good ones in a folder; a case changes one of them and calls `run`, which may
    raise LmedgeError. `seconds` and `mib` are what a case may take."""

    name: str
    seeds: Callable[[Path], list[Path]]
    change: Callable[[bytes, Random], bytes]
    run: Callable[[Path], object]
    seconds: float = 60.0
    mib: int = 1536


def changed_bytes(data: bytes, random: Random) -> bytes:
    """One to four of: a byte, a bit, an extreme number, a block that is doubled, gone or moved; now and then a cut."""
    found = bytearray(data)
    for _ in range(random.integers(1, 5)):
        if len(found) < 16:
            break
        # Half of the changes in the first kilobyte, where the headers are.
        at = int(random.integers(min(len(found), 1024 if random.random() < 0.5 else len(found)) - 8))
        size = int(random.integers(1, min(len(found) - at, 256)))
        kind = random.integers(6)
        if kind == 0:
            found[at] = random.integers(256)
        elif kind == 1:
            found[at] ^= 1 << random.integers(8)
        elif kind == 2:
            number, length = int(random.choice(EXTREMES)), int(random.choice((2, 4)))
            order = "little" if random.random() < 0.5 else "big"
            found[at : at + length] = (number & (256**length - 1)).to_bytes(length, order)
        elif kind == 3:
            found[at:at] = found[at : at + size] * int(random.choice((1, 1, 1, 64)))
        elif kind == 4:
            del found[at : at + size]
        elif random.random() < 0.3:
            del found[at:]
    return bytes(found)


def changed_text(data: bytes, random: Random) -> bytes:
    """A number becomes another kind of number; or bytes change."""
    numbers = list(re.finditer(rb"[\d.]+", data))
    if not numbers or random.random() < 0.3:
        return changed_bytes(data, random)
    for hit in sorted((numbers[i] for i in set(random.integers(len(numbers), size=2))), key=lambda hit: -hit.start()):
        data = data[: hit.start()] + str(random.choice(NUMBERS)).encode() + data[hit.end() :]
    return data


def changed_json(data: bytes, random: Random) -> bytes:
    """A value somewhere within becomes one of another kind, is gone, or is there twice; or bytes change."""
    if random.random() < 0.15:
        return changed_bytes(data, random)
    whole = json.loads(data)
    for _ in range(random.integers(1, 3)):
        node: Any = whole
        while isinstance(node, dict | list) and node:
            keys = list(node) if isinstance(node, dict) else list(range(len(node)))
            key = keys[int(random.integers(len(keys)))]
            inner = node[key]
            if isinstance(inner, dict | list) and inner and random.random() < 0.7:
                node = inner
                continue
            if random.random() < 0.2:
                del node[key]
            elif isinstance(node, list) and random.random() < 0.2:
                node *= 2
            else:
                node[key] = copy.deepcopy(VALUES[int(random.integers(len(VALUES)))])
            break
    return json.dumps(whole).encode()


class Case:
    """The inputs of a target in a folder, of which one at a time is changed."""

    def __init__(self, target: Target, seed: int, folder: Path):
        self.target, self.seed = target, seed
        folder.mkdir(parents=True, exist_ok=True)
        self._good = [(path, path.read_bytes()) for path in target.seeds(folder)]

    def examine(self, case: int) -> Finding | None:
        """Changes an input and runs it. Always the same for the same seed and case."""
        random = np.random.default_rng((self.seed, case))
        path, good = self._good[int(random.integers(len(self._good)))]
        path.write_bytes(self.target.change(good, random))
        try:
            return self._run(path, case)
        finally:
            path.write_bytes(good)

    def write(self, case: int, to: Path) -> None:
        """Writes the changed input of a case beside the other findings."""
        random = np.random.default_rng((self.seed, case))
        path, good = self._good[int(random.integers(len(self._good)))]
        to.mkdir(parents=True, exist_ok=True)
        (to / f"{self.target.name}-{self.seed}-{case}-{path.name}").write_bytes(self.target.change(good, random))

    def _run(self, path: Path, case: int) -> Finding | None:
        def finding(what: str, details: str = "") -> Finding:
            return Finding(self.target.name, self.seed, case, what, details)

        Path("/proc/self/clear_refs").write_text("5")  # the peak of memory starts anew
        before, start = _mib("VmRSS"), time.monotonic()
        try:
            self.target.run(path)
        except LmedgeError as error:
            if len(str(error).splitlines()) != 1 or not str(error).isprintable():
                return finding(f"a refusal of several lines or with control characters: {str(error)!r:.200}")
        except Exception as error:
            last = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{Path(last.filename).name}:{last.lineno}"
            return finding(f"{type(error).__name__} at {where}: {str(error)!r:.120}", traceback.format_exc())
        if time.monotonic() - start > self.target.seconds:
            return finding(f"took more than {self.target.seconds:g} s")
        if _mib("VmHWM") - before > self.target.mib:
            return finding(f"took more than {self.target.mib} MiB")
        return None


def _mib(name: str) -> int:
    found = re.search(rf"{name}:\s+(\d+)", Path("/proc/self/status").read_text())
    return int(found[1]) >> 10 if found else 0


def _child(target: Target, seed: int, folder: Path, first: int, pipe: Any) -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # what verbs say of damage that they can go on from
    cases = Case(target, seed, folder)
    for case in range(first, 1 << 60):
        pipe.send(case)
        pipe.send(cases.examine(case))


def fuzz(target: Target, seed: int, folder: Path, until: float, first: int = 0) -> Iterator[Finding | None]:
    """Cases of a target, one after the other in a child process, until the clock says `until`: what each did, or
    None. A child that is brought down or hangs is a finding too, and the next one goes on behind it."""
    case = first
    context = multiprocessing.get_context("fork")
    while time.monotonic() < until:
        ours, theirs = context.Pipe()
        child = context.Process(target=_child, args=(target, seed, folder, case, theirs), daemon=True)
        child.start()
        theirs.close()
        limit = 120.0  # until its inputs are there
        try:
            while time.monotonic() < until:
                if not ours.poll(limit):
                    yield Finding(target.name, seed, case, f"hung for {limit:g} s")
                    break
                answer, limit = ours.recv(), target.seconds + 30
                if isinstance(answer, int):
                    case = answer
                else:
                    yield answer
        except EOFError:
            child.join(10)
            yield Finding(target.name, seed, case, f"ended the process with exit code {child.exitcode}")
        finally:
            child.kill()
            child.join()
            ours.close()
        case += 1


def distinct(findings: Iterable[Finding]) -> dict[str, list[Finding]]:
    """Findings that say the same, but for numbers, together."""
    found: dict[str, list[Finding]] = {}
    for finding in findings:
        found.setdefault(f"{finding.target}: " + re.sub(r"\d+(?!\d*:)", "N", finding.what.split(": ")[0]), []).append(
            finding
        )
    return found


def keep(finding: Finding, target: Target, work: Path, to: Path) -> None:
    """Writes the input of a finding, and what it said, to `to`."""
    Case(target, finding.seed, work).write(finding.case, to)
    (to / f"{finding.target}-{finding.seed}-{finding.case}.txt").write_text(f"{finding.what}\n\n{finding.details}")
    shutil.rmtree(work)
