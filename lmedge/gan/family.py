"""What a family of generators says: how its networks are built, what a step does, what it logs, how its rate falls,
when it is ill. All else of a training (data, mirror, average, replicas, checkpoints, journal, judge) is shared.

A family is imported to show its options, so what loads TensorFlow is imported in `build`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Generic, NamedTuple, TypeVar

from lmedge.gan.gan import Gan
from lmedge.gan.health import Health
from lmedge.gan.options import PRESETS, TrainGanConfig
from lmedge.gan.schedule import Schedule

if TYPE_CHECKING:
    from lmedge.faces.records import FaceDataset
    from lmedge.latent import LatentSpec

Options = TypeVar("Options", bound=TrainGanConfig)


class Panel(NamedTuple):
    """A plot over the whole training: figures of the log with what the legend calls them, and how they are read. It is
    left out where the log has none of them."""

    title: str
    figures: Mapping[str, str]
    reading: str = ""


class Family(ABC, Generic[Options]):
    """One kind of generator. There is one object of it, in the table of `families`."""

    name: ClassVar[str]
    options: type[Options]
    rate: ClassVar[float]  # that was tried, with 16 faces a step
    panels: ClassVar[tuple[Panel, ...]]  # of the report, beside the learning rate
    reading: ClassVar[str] = ""  # how they are read, for who sees them for the first time
    landmarks: ClassVar[bool] = False  # does a step look at the landmarks of the faces?
    widths: ClassVar[Mapping[str, int]] = {name: preset.width for name, preset in PRESETS.items()}  # by preset
    may_change: ClassVar[frozenset[str]] = frozenset()  # options of its own that sittings of one run may differ in

    @abstractmethod
    def build(self, config: Options, faces: FaceDataset, latent: LatentSpec) -> Gan:
        """Networks and optimisers for faces such as these, with fresh weights. `config` is resolved."""

    @abstractmethod
    def note(self, figures: dict[str, float]) -> str:
        """What the line of progress says of the figures of a step."""

    def check(self, config: Options) -> None:
        """Raises UsageError for options that do not go together. `config` is resolved."""

    def resolved(self, config: Options) -> Options:
        """The options with those filled in that depend on the machine or on other runs. What all families share is
        filled in later."""
        return config

    def faces(self, config: Options, faces: FaceDataset) -> FaceDataset:
        """The faces, with the attributes that a generator learns to be asked for."""
        return faces

    def latent(self, config: Options, faces: FaceDataset) -> LatentSpec:
        """What a generator of such faces draws from. A run keeps what it began with."""
        from lmedge.latent import LatentSpec

        assert config.latent is not None
        return LatentSpec.uniform(config.latent)

    def schedule(self, config: Options) -> Schedule:
        """How the learning rate falls: not at all."""
        return Schedule()

    def health(self, config: Options) -> Health:
        """Who says when a training goes wrong."""
        return Health()
