"""The relativistic GAN as a family of generators."""

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from lmedge.errors import UsageError
from lmedge.gan.families.relativistic.health import RelativisticHealth
from lmedge.gan.families.relativistic.options import RelativisticConfig
from lmedge.gan.family import Family, Panel
from lmedge.gan.gan import Gan
from lmedge.gan.schedule import Cosine
from lmedge.gan.training import steps_for

if TYPE_CHECKING:
    from lmedge.faces.records import FaceDataset
    from lmedge.latent import LatentSpec

EVERY_ON_CPU = 8  # steps between penalties, which take two backward passes
PERSON, SHAPE = 64, 12  # numbers of the blocks, where nothing else is asked for


class RelativisticFamily(Family[RelativisticConfig]):
    """See `lmedge.gan.families.relativistic`."""

    name = "relativistic"
    options = RelativisticConfig
    rate = 5e-4
    panels = (
        Panel("losses", {"loss_d": "D", "loss_g": "G"}),
        Panel("pairs in which D is right", {"right": "share"}),
        Panel("squared slope of D", {"slope_real": "at real faces", "slope_fake": "at drawn faces"}),
        Panel(
            "distance to the teacher",
            {"from_teacher": "of faces, levels", "features_from_teacher": "of features, %"},
            "The distance to the teacher is that of faces from the same latents: levels of 0..255, and percent in what "
            "the teacher's D sees. It falls fast at first, and less once photos count more (--fade).",
        ),
    )
    reading = (
        "D is right where it prefers the real face of a pair: 0.5 is guessing, and G learns little from a D that "
        "always is (more --gamma) or never is (less). Its slope is what the penalties hold down."
    )
    widths: ClassVar[Mapping[str, int]] = {"celeba128": 64, "celeba64": 64, "cpu64": 40, "toy32": 16}
    landmarks = True
    may_change = frozenset(("anneal",))

    def resolved(self, config: RelativisticConfig) -> RelativisticConfig:
        from lmedge.gan.devices import gpus

        latent, shape = config.latent or PERSON, SHAPE if config.shape is None else config.shape
        if config.teacher is not None:
            from lmedge.gan.families.relativistic.teacher import sizes, teacher_run

            latent, shape = sizes(teacher_run(config).latent)
        every = config.penalty_every or (1 if gpus() else EVERY_ON_CPU)
        return dataclasses.replace(config, penalty_every=every, latent=latent, shape=shape)

    def check(self, config: RelativisticConfig) -> None:
        if config.attribute_names and config.attributes is None:
            raise UsageError("--attribute-names says which of --attributes; name the folder of `train-attributes`.")

    def faces(self, config: RelativisticConfig, faces: "FaceDataset") -> "FaceDataset":
        if config.attributes is None:
            return faces
        from lmedge.attributes.labeller import Labeller

        return Labeller.open(config.attributes).shown_by(faces, config.attribute_names)

    def latent(self, config: RelativisticConfig, faces: "FaceDataset") -> "LatentSpec":
        from lmedge.block import Block
        from lmedge.gan.families.relativistic.prior import asking_blocks
        from lmedge.latent import LatentSpec

        assert config.latent is not None
        if config.teacher is not None:
            from lmedge.gan.families.relativistic.teacher import teacher_latent

            return teacher_latent(config, faces)
        assert config.shape is not None
        asking = asking_blocks(faces, config.shape, config.attributes is not None)
        return LatentSpec((Block("person", config.latent), *asking))

    def build(self, config: RelativisticConfig, faces: "FaceDataset", latent: "LatentSpec") -> Gan:
        from lmedge.gan.families.relativistic.gan import Relativistic
        from lmedge.gan.families.relativistic.teacher import load_teacher

        teacher = None if config.teacher is None else load_teacher(config, latent)
        return Relativistic(config, faces.size, latent, teacher)

    def note(self, figures: dict[str, float]) -> str:
        teacher = f"  teacher {figures['from_teacher']:.1f}" if "from_teacher" in figures else ""
        return f"D {figures['loss_d']:.3f}  G {figures['loss_g']:.3f}  right {figures['right']:.0%}{teacher}"

    def schedule(self, config: RelativisticConfig) -> Cosine:
        assert config.batch is not None and config.learning_rate is not None
        return Cosine(config.learning_rate, steps_for(config.kimg, config.batch), config.anneal)

    def health(self, config: RelativisticConfig) -> RelativisticHealth:
        return RelativisticHealth()
