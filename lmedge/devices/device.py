"""What a device is to the check, and running the runtime of lmedge as one."""

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from lmedge.runtime.faces import Faces
from lmedge.storage import cache_folder

ROOT = Path(__file__).resolve().parents[2]  # what is to be imported as `lmedge`
SECONDS = 900  # a device that takes longer hangs


class Unavailable(Exception):
    """A device that this machine cannot be made to have; says why."""


@dataclass(frozen=True)
class Outcome:
    """What a device made of a variant: faces, or the sentence with which it refused; and what else is to be said."""

    faces: Faces | None
    note: str = ""


class Device(Protocol):
    """Something that runs the models of a bundle."""

    name: str

    def outcomes(self, models: dict[str, Path], latents: NDArray[np.float32]) -> dict[str, Outcome]:
        """What becomes of each variant. Raises Unavailable."""
        ...


def cache() -> Path:
    """Where devices are kept between checks."""
    return cache_folder() / "devices"


def rendered(
    python: list[str], environment: Mapping[str, str], interpreter: str, models: dict[str, Path],
    latents: NDArray[np.float32],
) -> dict[str, Outcome]:  # fmt: skip
    """`lmedge.runtime.rendering` by any Python; a variant at which it dies is refused, and so are those after it."""
    with TemporaryDirectory() as out:
        request = {"models": {name: str(path) for name, path in models.items()}, "interpreter": interpreter,
                   "latents": latents.tolist(), "out": out}  # fmt: skip
        done = subprocess.run(
            [*python, "-m", "lmedge.runtime.rendering"], input=json.dumps(request), capture_output=True, text=True,
            check=False, env={**os.environ, **environment}, timeout=SECONDS,
        )  # fmt: skip
        said = dict(json.loads(line) for line in done.stdout.splitlines() if line.startswith("["))
        outcomes = {}
        for name in models:
            if name not in said:
                last = (done.stderr.strip().splitlines() or ["no message"])[-1]
                outcomes[name] = Outcome(None, f"ended with exit code {done.returncode} ({last[:200]})")
            elif said[name] is not None:
                outcomes[name] = Outcome(None, said[name])
            else:
                with np.load(Path(out) / f"{name}.npz") as arrays:
                    outcomes[name] = Outcome(Faces(**dict(arrays)))
        return outcomes
