"""What `lmedge sample` asks all faces for: landmarks, a pose, or both."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lmedge.errors import UsageError
from lmedge.landmarks import Array
from lmedge.latent import Latents, LatentSpec
from lmedge.pose import POINTS, posture
from lmedge.progress import console
from lmedge.runtime.options import SampleConfig
from lmedge.runtime.sampler import FaceSampler
from lmedge.runtime.selection import Selection, check_pose
from lmedge.runtime.shape_block import ShapeBlock
from lmedge.runtime.steering import NEAR, Steering

PROBED = 64  # faces that say how near to a pose they come
# Photo, model -> normalised landmarks `[K, 2]` of the face in it.
Finder = Callable[[Path, FaceSampler], Array]


@dataclass(frozen=True)
class Asked:
    """`shape` `[n]` that all faces get, None for each its own; `steering` to the pose that is asked for, if one is."""

    latent: LatentSpec
    shape: Array | None
    steering: Steering | None

    def __call__(self, z: Latents, first: int, seed: int) -> Latents:
        """Latents `first` to `first + N` of a seed, `[N, Z]`, of the same people, asked for so."""
        if self.shape is not None:
            z = self.latent.with_shape(z, self.shape)
        return z if self.steering is None else self.steering(z, first, seed)


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
    yaw, mouth_open = ((value, value) if value is not None else None for value in (config.yaw, config.mouth_open))
    check_pose(Selection(yaw=yaw, mouth_open=mouth_open), sampler.scheme)
    shape = None
    if config.pts is not None:
        shape = _nearest(block, config.pts, block.of_file(config.pts, config.pts_scheme))
    elif config.like is not None:
        if finder is None:
            raise UsageError(f"--like {config.like}: nobody here looks at photos; give the landmarks with --pts.")
        shape = _nearest(block, config.like, finder(config.like, sampler))
    steering = None
    if yaw or mouth_open:
        steering = Steering(sampler.landmarks, sampler.latent, sampler.scheme, yaw, mouth_open)
    wish = Asked(sampler.latent, shape, steering)
    if steering:
        z = sampler.latents(min(config.count, PROBED), config.seed, truncation=config.truncation)
        _say_reach(posture(sampler.landmarks(wish(z, 0, config.seed)), sampler.scheme), config.yaw, config.mouth_open)
        for sentence in steering.beyond():
            console.print(sentence)
    return wish


def _nearest(block: ShapeBlock, file: Path, landmarks: Array) -> Array:
    found = block.nearest(landmarks[None])
    if found.clipped[0]:
        console.print(f"{file} lies beyond the faces that this model can be asked for: the nearest ones are NME "
                      f"{found.nme[0]:.1%} from it")  # fmt: skip
    return found.shape[0]


def _say_reach(reached: Array, *wanted: float | None) -> None:
    """Says it where half of the faces do not get a pose; `reached` `[N, 2]` by them."""
    for option, value, there, near in zip(POINTS, wanted, np.median(reached, axis=0), NEAR, strict=True):
        if value is not None and abs(there - value) > near:
            console.print(f"{option} {value:g} is out of reach of this model: half of the faces get about {there:.3g}")
