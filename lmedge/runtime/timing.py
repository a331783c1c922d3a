"""One model on one interpreter, in a process of its own: `python -m lmedge.runtime.timing`.

A fresh process measures what a user meets: a cold load, the first face, memory that nothing else has touched. It
also keeps tflite-runtime apart from TensorFlow. Reads a request as JSON from standard input, writes a `Timing` as
JSON to standard output; exit code 1 with a sentence on standard error where the model does not run.
"""

import dataclasses
import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmedge.errors import LmedgeError
from lmedge.runtime.faces import Faces
from lmedge.runtime.parity import Parity, compare
from lmedge.runtime.sampler import FaceSampler
from lmedge.storage import read_arrays

SMALLEST = 30  # faces timed at least


@dataclass(frozen=True)
class Timing:
    """Milliseconds of loading, of the first face, and of a face (median, 95th percentile); `peak_mib`: memory
    above that of the process before the model was loaded; XNNPACK's partitions and the nodes that it left out,
    None where the interpreter does not tell; how far the faces are from the reference ones, if there are any."""

    threads: int
    load_ms: float
    first_ms: float
    median_ms: float
    p95_ms: float
    peak_mib: float
    partitions: int | None
    outside: dict[str, int] | None
    parity: Parity | None

    @property
    def per_second(self) -> float:
        """Faces a second."""
        return 1000.0 / self.median_ms


def time_model(
    model: Path, interpreter: str, threads: int, seconds: float, reference: Path | None = None, part: str = "sample"
) -> Timing:
    """Times the signature `part` of a model in a fresh process. Raises LmedgeError where it does not run."""
    request = {"model": str(model), "interpreter": interpreter, "threads": threads, "seconds": seconds,
               "reference": str(reference) if reference else None, "part": part}  # fmt: skip
    command = [sys.executable, "-m", "lmedge.runtime.timing"]
    done = subprocess.run(command, input=json.dumps(request), capture_output=True, text=True, check=False)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"{interpreter} ended with exit code {done.returncode}"]
        raise LmedgeError(lines[-1])
    values = json.loads(done.stdout.splitlines()[-1])
    values["parity"] = Parity(**values["parity"]) if values["parity"] else None
    return Timing(**values)


def _measure(request: dict[str, Any]) -> Timing:
    before = _memory_kib("VmRSS")
    start = time.perf_counter()
    sampler = FaceSampler(request["model"], interpreter=request["interpreter"], threads=request["threads"])
    run = sampler.runner(request["part"])
    loaded = time.perf_counter()
    z = sampler.inputs(sampler.latent.draw(64))
    first = _time(run, z[:1])
    warm = _time(run, z[:5])
    count = max(SMALLEST, int(request["seconds"] / max(float(np.median(warm)), 1e-6)))
    times = np.concatenate([_time(run, np.roll(z, -i, axis=0)[: count - i]) for i in range(0, count, len(z))]) * 1e3
    delegation = sampler.delegation()
    parity = None
    if request["reference"]:
        reference: dict[str, Any] = read_arrays(Path(request["reference"]))
        wanted = Faces(**reference)
        parity = compare(sampler.render(wanted.latents), wanted, sampler.scheme)
    return Timing(
        threads=request["threads"],
        load_ms=round((loaded - start) * 1e3, 2),
        first_ms=round(float(first[0]) * 1e3, 3),
        median_ms=round(float(np.median(times)), 4),
        p95_ms=round(float(np.percentile(times, 95)), 4),
        peak_mib=round((_memory_kib("VmHWM") - before) / 1024, 1),
        partitions=delegation.partitions if delegation else None,
        outside=delegation.outside if delegation else None,
        parity=parity,
    )


def _time(run: Any, latents: NDArray[Any]) -> NDArray[np.float64]:
    """Seconds of each face."""
    times = []
    for i in range(len(latents)):
        start = time.perf_counter()
        run(z=latents[i : i + 1])
        times.append(time.perf_counter() - start)
    return np.array(times)


def _memory_kib(field: str) -> int:
    """VmRSS, what the process holds, or VmHWM, the most that it has held; 0 where the system does not tell."""
    try:
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith(field):
                return int(line.split()[1])
    except OSError:
        pass
    return 0


def main() -> int:
    """Answers the request on standard input."""
    try:
        print(json.dumps(dataclasses.asdict(_measure(json.load(sys.stdin)))))
    except LmedgeError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
