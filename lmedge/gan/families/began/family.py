"""BEGAN as a family of generators."""

from typing import TYPE_CHECKING

from lmedge.bounds import require
from lmedge.gan.families.began.health import BeganHealth
from lmedge.gan.families.began.options import BeganConfig
from lmedge.gan.family import Family, Panel
from lmedge.gan.gan import Gan
from lmedge.gan.schedule import Plateau
from lmedge.gan.training import steps_for

if TYPE_CHECKING:
    from lmedge.faces.records import FaceDataset
    from lmedge.latent import LatentSpec


class BeganFamily(Family[BeganConfig]):
    """See `lmedge.gan.families.began`."""

    name = "began"
    options = BeganConfig
    rate = 1e-4
    panels = (
        Panel("losses and convergence measure", {"loss_real": "L(x)", "loss_fake": "L(G(z))", "measure": "M"}),
        Panel("k", {"k": "k"}),
    )
    reading = (
        "L(x) and L(G(z)): how badly D repeats real and drawn faces. M falls while both get better. k, from 0 to 1: "
        "how much drawn faces count for D."
    )
    may_change = frozenset(("learning_rate_floor", "patience"))

    def build(self, config: BeganConfig, faces: "FaceDataset", latent: "LatentSpec") -> Gan:
        from lmedge.gan.families.began.gan import Began

        return Began(config, faces.size)

    def note(self, figures: dict[str, float]) -> str:
        return f"L(x) {figures['loss_real']:.4f}  M {figures['measure']:.4f}  k {figures['k']:.3f}"

    def check(self, config: BeganConfig) -> None:
        assert config.learning_rate is not None
        require("--learning-rate-floor", config.learning_rate_floor, 0, config.learning_rate)

    def schedule(self, config: BeganConfig) -> Plateau:
        assert config.batch is not None
        return Plateau("measure", config.learning_rate_floor, steps_for(config.patience, config.batch))

    def health(self, config: BeganConfig) -> BeganHealth:
        return BeganHealth(patience=config.patience, floor=config.learning_rate_floor)
