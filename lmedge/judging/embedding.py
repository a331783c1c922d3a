"""A network that knows people, as `scripts/train_features` makes it: how far apart are the persons of two pictures?"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from lmedge.errors import UsageError
from lmedge.judging.verified import Verified
from lmedge.keras_file import load_network


@dataclass(frozen=True)
class Embedding:
    """`network`: faces `[B, S, S, 3]` in -1..1 -> features `[B, F]`, whose cosine says how alike two persons are;
    `verified`: how well that is so."""

    path: Path
    network: Any
    verified: Verified

    @classmethod
    def open(cls, path: Path, option: str) -> Self:
        """The network that `option` names. Raises UsageError where there is none, LmedgeError for a damaged one and for
        one of which nobody noted how far apart faces of one person are."""
        if path.suffix != ".keras" or not path.is_file():
            raise UsageError(f"{option} {path}: there is no such .keras file; `scripts/train_features` makes one.")
        verified = Verified.read(path.with_suffix(".json"))
        network = load_network(path, f"{option} takes a network that `scripts/train_features` made")
        seen, given = network.input_shape, network.output_shape
        if len(seen) != 4 or seen[1] != seen[2] or seen[3] != 3 or len(given) != 2:
            raise UsageError(f"{option} {path} maps {seen} to {given}, and not faces to features; take another file.")
        return cls(path, network, verified)

    def require_size(self, size: int, option: str, whose: object) -> None:
        """Raises UsageError where it takes faces of another size than those of `whose` generator."""
        require_size(self.network, size, f"{option} {self.path}", whose)

    def __call__(self, images: Any) -> tf.Tensor:
        """Of faces `[B, S, S, 3]` in -1..1: features `[B, F]` of length 1, which can be differentiated."""
        return tf.math.l2_normalize(self.network(images, training=False), axis=1)

    def distances(self, images: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float32]:
        """1 - the cosine of the features of faces `[N, S, S, 3]`, in -1..1, and of as many others, or of one: `[N]`,
        0..2."""
        cosines: NDArray[np.float32] = (self(images) * self(others)).numpy().sum(axis=1)
        return 1 - cosines


def require_size(network: Any, size: int, named: str, whose: object) -> None:
    """Raises UsageError where a network, as it is `named`, takes faces of another size than those that the generator of
    `whose` run draws."""
    if (takes := network.input_shape[1]) != size:
        raise UsageError(
            f"{named} takes faces of {takes} pixels and the generator of {whose} draws {size}; take one that was "
            f"trained on faces of {size} pixels."
        )
