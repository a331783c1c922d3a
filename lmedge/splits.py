"""Splits of faces in which no group (a person) is on two sides."""

import numpy as np
from numpy.typing import NDArray

from lmedge.errors import UsageError

Indices = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]


def split_by_group(groups: NDArray[np.str_], share: float, seed: int) -> Indices:
    """Indices of (training, validation, held-out) faces: no group is in two of them. `share` of the groups
    go to each of the latter two. Raises UsageError where there are too few groups to split."""
    names = np.unique(groups)
    count = max(1, round(share * len(names)))
    if len(names) - 2 * count < 1:
        raise UsageError(
            f"{len(names)} group{'s' * (len(names) != 1)} of faces cannot be split into training, validation "
            "and held-out ones; take faces of more people or lower --held-out."
        )
    names = np.random.default_rng(seed).permutation(names)
    parts = names[2 * count :], names[:count], names[count : 2 * count]
    training, validation, held_out = (np.flatnonzero(np.isin(groups, part)) for part in parts)
    return training, validation, held_out
