"""What `lmedge sample` asks all faces for: landmarks, a pose, or both."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lmedge.errors import UsageError
from lmedge.landmarks import Array
from lmedge.latent import Latents, LatentSpec
from lmedge.pose import POINTS
from lmedge.progress import console
from lmedge.runtime.options import SampleConfig
from lmedge.runtime.sampler import FaceSampler
from lmedge.runtime.selection import Selection, check_pose
from lmedge.runtime.shape_block import ShapeBlock

PROBED = 256  # faces that say how near to a pose they can be asked for
NEAR = (1.0, 0.01)  # degrees and inter-ocular distances that are not worth a sentence
# Photo, model -> normalised landmarks `[K, 2]` of the face in it.
Finder = Callable[[Path, FaceSampler], Array]


@dataclass(frozen=True)
class Asked:
    """`shape` `[n]` that all faces get, None for each its own, and the `yaw` (degrees) and `mouth_open` that this is
    moved to, None for what it has."""

    block: ShapeBlock
    shape: Array | None
    yaw: float | None
    mouth_open: float | None

    def __call__(self, z: Latents, latent: LatentSpec) -> Latents:
        """Latents `[N, Z]` of the same people, asked for so."""
        return latent.with_shape(z, self.shapes(z, latent))

    def shapes(self, z: Latents, latent: LatentSpec) -> Array:
        """The numbers `[N, n]` that are put into latents `[N, Z]`."""
        own = latent.split(z)[self.block.block.name]
        shape = own if self.shape is None else np.broadcast_to(self.shape, own.shape)
        if self.yaw is None and self.mouth_open is None:
            return shape
        target = self.block.posture(shape)
        for i, value in enumerate((self.yaw, self.mouth_open)):
            if value is not None:
                target[:, i] = value
        return self.block.posed(shape, target)


def asked(config: SampleConfig, sampler: FaceSampler, finder: Finder | None) -> Asked | None:
    """What the options ask for, None where it is nothing; says how far from it faces must stay. `finder` is for
    `--like`. Raises UsageError and LmedgeError for what cannot be asked for."""
    options = {"--pts": config.pts, "--like": config.like, "--yaw": config.yaw, "--mouth-open": config.mouth_open}
    given = [option for option, value in options.items() if value is not None]
    if config.pts and config.like:
        raise UsageError(f"--pts {config.pts} and --like {config.like} both say which landmarks; take one of them.")
    if config.pts_scheme is not None and config.pts is None:
        raise UsageError(f"--pts-scheme {config.pts_scheme} says what a .pts file has; name it with --pts.")
    if not given:
        return None
    block = ShapeBlock.of(sampler.latent, sampler.scheme, sampler.bundle.path, given[0])
    poses = {"yaw": config.yaw, "mouth_open": config.mouth_open}
    check_pose(Selection(**{k: None if v is None else (v, v) for k, v in poses.items()}), sampler.scheme)
    shape = None
    if config.pts is not None:
        upright = sampler.provenance.origin.crop.get("crop") == "landmarks"
        shape = _nearest(block, config.pts, block.of_file(config.pts, config.pts_scheme, upright))
    elif config.like is not None:
        if finder is None:
            raise UsageError(f"--like {config.like}: nobody here looks at photos; give the landmarks with --pts.")
        shape = _nearest(block, config.like, finder(config.like, sampler))
    wish = Asked(block, shape, config.yaw, config.mouth_open)
    _say_reach(wish, sampler.latent, min(config.count, PROBED), config.seed)
    return wish


def _nearest(block: ShapeBlock, file: Path, landmarks: Array) -> Array:
    found = block.nearest(landmarks[None])
    if found.clipped[0]:
        console.print(f"{file} lies beyond the faces that this model can be asked for: the nearest ones are NME "
                      f"{found.nme[0]:.1%} from it")  # fmt: skip
    return found.shape[0]


def _say_reach(wish: Asked, latent: LatentSpec, count: int, seed: int) -> None:
    """Says it where a pose is out of reach for half of the first faces."""
    reached = np.median(wish.block.posture(wish.shapes(latent.draw(count, seed), latent)), axis=0)
    for option, value, there, near in zip(POINTS, (wish.yaw, wish.mouth_open), reached, NEAR, strict=True):
        if value is not None and abs(there - value) > near:
            console.print(f"{option} {value:g} is out of reach of this model: half of the faces get about {there:.3g}")
