"""The block of a model's latents that asks for landmarks: which numbers ask for those of a face, or for a pose."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lmedge.block import Block
from lmedge.errors import LmedgeError, UsageError
from lmedge.landmarks import Array, nme, read_pts
from lmedge.latent import LatentSpec
from lmedge.pose import posture
from lmedge.scheme import Scheme, converted
from lmedge.shapes import ShapeSpace

STEPS = 12  # of Gauss and Newton; where nothing meets a bound, three do
PROBE = 0.01  # how far numbers are moved to see what that does to a pose


@dataclass(frozen=True)
class Nearest:
    """What can be asked for of some landmarks: the numbers `shape` `[N, n]`, the `nme` `[N]` between what they ask for
    and what was wanted, and which were `clipped` `[N]` to the bounds."""

    shape: Array
    nme: Array
    clipped: NDArray[np.bool_]


@dataclass(frozen=True)
class ShapeBlock:
    """The `block` of a latent whose numbers `[N, n]` ask for normalised landmarks `[N, K, 2]` of `scheme`, which are
    those of square faces."""

    block: Block
    space: ShapeSpace
    scheme: Scheme

    @classmethod
    def of(cls, latent: LatentSpec, scheme: Scheme, whose: object, option: str) -> "ShapeBlock":
        """The block of the model `whose` this latent is. Raises UsageError, which names the option that needs it, where
        there is none, and LmedgeError where it asks for other landmarks."""
        block = latent.shape
        if block is None or block.shapes is None:
            raise UsageError(
                f"{option}: faces of {whose} cannot be asked for by landmarks, as its latents have no block of shapes; "
                "take a model of the family relativistic."
            )
        if block.shapes.points != scheme.count:
            raise LmedgeError(f"{whose} asks for {block.shapes.points} landmarks and says it has the {scheme.count} of "
                              f"{scheme}; export the run again.")  # fmt: skip
        return cls(block, block.shapes, scheme)

    def nearest(self, landmarks: Array) -> Nearest:
        """What comes nearest to landmarks `[N, K, 2]`: axes are at right angles, so each number is clipped by
        itself."""
        wanted = self.space.latents(landmarks)
        shape = np.clip(wanted, self.block.low, self.block.high).astype(np.float32)
        error = nme(self.space.landmarks(shape), landmarks, self.scheme)
        return Nearest(shape, error, (shape != wanted).any(axis=-1))

    def posture(self, shape: Array) -> Array:
        """Yaw in degrees and mouth opening `[N, 2]` of what is asked for."""
        return posture(self.space.landmarks(shape), self.scheme)

    def posed(self, shape: Array, target: Array) -> Array:
        """Numbers that ask for a `target` `[N, 2]`, yaw and mouth, and for what else they did: moved as little as that
        takes, inside of the bounds. As numbers are of one deviation, that is the likeliest such shape of a normal
        distribution, and what usually goes with a pose moves with it."""
        probes = PROBE * np.eye(self.block.size, dtype=np.float32)
        for _ in range(STEPS):
            now = self.posture(shape)
            moved = self.posture((shape[:, None] + probes).reshape(-1, self.block.size))
            slopes = (moved.reshape(len(shape), -1, 2) - now[:, None]) / PROBE  # [N, n, 2]
            step = (target - now)[:, None] @ np.linalg.pinv(slopes)  # [N, 1, n]
            shape = np.clip(shape + step[:, 0], self.block.low, self.block.high).astype(np.float32)
        return shape

    def placed(self, points: Array) -> Array:
        """Normalised landmarks `[K, 2]` of points in pixels of any photo: scaled, moved and turned to lie nearest to
        the mean shape (least squares; Procrustes), as faces that a cascade has found are all about upright. Raises
        UsageError for points that are all in one place."""
        points, mean = points.astype(np.float64), np.array(self.space.mean).reshape(-1, 2)
        # In complex numbers a similarity without reflection is one multiplication.
        a, b = (points - points.mean(axis=0)) @ [1, 1j], (mean - mean.mean(axis=0)) @ [1, 1j]
        spread = float((np.abs(a) ** 2).sum())
        if not spread > 0:
            raise UsageError("these landmarks are of no face, as they are all in one place.")
        moved = (np.conj(a) @ b) / spread * a
        return (np.column_stack([moved.real, moved.imag]) + mean.mean(axis=0)).astype(np.float32)

    def of_file(self, path: Path, given: Scheme | None) -> Array:
        """Normalised landmarks `[K, 2]` of a `.pts` file with the points of `given`, None: those of the model; `placed`
        as there. Raises UsageError and LmedgeError for one that has no such points."""
        points, scheme = read_pts(path), given or self.scheme
        if len(points) != scheme.count:
            raise UsageError(
                f"{path} has {len(points)} points, and {scheme} {scheme.count}; say with --pts-scheme which they are."
            )
        try:
            return self.placed(converted(points, scheme, self.scheme))
        except UsageError as error:
            raise UsageError(f"{path}: {error}") from None
