"""The run that a student learns from: what it must be, and its networks."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lmedge.errors import UsageError
from lmedge.gan import checkpoint
from lmedge.gan.families import family_of
from lmedge.gan.families.relativistic.options import RelativisticConfig
from lmedge.gan.options import PRESETS
from lmedge.latent import LatentSpec
from lmedge.run import Run

if TYPE_CHECKING:
    from lmedge.faces.records import FaceDataset


def teacher_run(config: RelativisticConfig) -> Run:
    """The run of `config.teacher`. Raises UsageError where it cannot teach a generator of such options, LmedgeError
    where it says too little."""
    assert config.teacher is not None
    if config.teacher.resolve() == config.run.resolve():
        raise UsageError(f"--teacher and --run are both {config.run}; a student has a run of its own.")
    run = Run.open(config.teacher)
    if (family := family_of(run).name) != config.family:
        raise UsageError(
            f"--teacher {run} is of the family {family}, and only one of the family {config.family} teaches; name "
            "such a run."
        )
    size, wanted = run.config().get("dataset", {}).get("size"), PRESETS[config.preset].size
    if size != wanted:
        raise UsageError(
            f"--teacher {run} draws faces of {size} pixels, and --preset {config.preset} is for {wanted}; take "
            "another of the two."
        )
    person, shape = sizes(run.latent)
    for option, asked, has in (("--latent", config.latent, person), ("--shape", config.shape, shape)):
        if asked not in (None, has):
            raise UsageError(f"{option} is {asked}, and latents of --teacher {run} have {has}; leave it out.")
    return run


def teacher_latent(config: RelativisticConfig, faces: "FaceDataset") -> LatentSpec:
    """What the teacher draws from, and so its student; `faces` are what that learns from. Raises as `teacher_run`."""
    run = teacher_run(config)
    if run.scheme != faces.scheme:
        raise UsageError(
            f"--teacher {run} is asked for landmarks of {run.scheme}, and {config.dataset} has {faces.scheme}; "
            "name a teacher of such faces."
        )
    if (names := run.latent.attributes) != (faces.attribute_names if config.attributes else ()):
        how = f"--attributes with --attribute-names {' '.join(names)}" if names else "no --attributes"
        raise UsageError(f"--teacher {run} is asked for {', '.join(names) or 'no attributes'}; take {how}.")
    return run.latent


def sizes(latent: LatentSpec) -> tuple[int, int]:
    """How many numbers say who it is, and how many where the landmarks are."""
    shape = 0 if latent.shape is None else latent.shape.size
    return int((~latent.asks).sum()), shape


@dataclass(frozen=True)
class Teacher:
    """Trained networks, which stay as they are. `discriminator` is None where the run has no checkpoint any more; a
    student's is of its `width` in any case."""

    generator: Any
    discriminator: Any | None
    width: int


def load_teacher(config: RelativisticConfig, latent: LatentSpec) -> Teacher:
    """The averaged generator of the run and its newest discriminator, in the precision of `config`, for a student that
    draws from `latent`. Raises as `teacher_run`, and for networks that cannot be read."""
    from lmedge.gan.families.relativistic.networks import build_discriminator
    from lmedge.gan.precision import in_precision

    run = teacher_run(config)
    if run.latent != latent:
        raise UsageError(
            f"--teacher {run} draws from other latents than {config.run} began with; name the teacher of then, or "
            "another --run."
        )
    width = run.stage("train-gan", RelativisticConfig).get("width") or config.width
    assert width is not None
    generator, discriminator = in_precision(run.generator(), config.precision), None
    if found := checkpoint.checkpoints(run.checkpoints):
        discriminator = build_discriminator(PRESETS[config.preset].size, width, latent, config.precision)
        checkpoint.restore_part(found[-1], {"discriminator": discriminator.weights}, "--teacher")
    return Teacher(generator, discriminator, width)
