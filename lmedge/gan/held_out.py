"""Whose faces a generator never sees: those of the groups that train-gan held out."""

import hashlib

import numpy as np
from numpy.typing import NDArray

from lmedge.gan.options import TrainGanConfig
from lmedge.run import Run

RANGE = 1 << 64


def unseen(run: Run, groups: NDArray[np.str_]) -> NDArray[np.bool_]:
    """Which faces `[N]`, by their groups `[N]`, are of groups that the generator of a run has seen no face of, because
    they were held out."""
    return kept_out(groups, run.stage("train-gan", TrainGanConfig).get("held_out", 0.0))


def kept_out(groups: NDArray[np.str_], share: float) -> NDArray[np.bool_]:
    """Which faces `[N]`, by their groups `[N]`, are kept out of a training: those of about `share` of all groups. A
    group's name alone decides, so that each part of a dataset, and whoever reads it later, comes to the same."""
    names, which = np.unique(groups, return_inverse=True)
    return np.array([_place(str(name)) < share for name in names], bool)[which]


def _place(name: str) -> float:
    """Where in 0..1 a group lies, as by chance."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") / RANGE
