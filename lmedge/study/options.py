"""Options of the study of what labelled datasets are good for."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, arg

from lmedge.bounds import Steps, Workers, whole, within
from lmedge.options import ModelName, RunIfSaid, Stage
from lmedge.place import Place

ArmName = Literal[
    "real", "real+classical", "real+synthetic", "real+synthetic+classical", "synthetic+classical",
    "real+mixed", "real+mixed+classical", "real+smart", "real+smart+classical",
]  # fmt: skip
USUAL: tuple[ArmName, ...] = (
    "real", "real+classical", "real+synthetic", "real+synthetic+classical", "synthetic+classical",
)  # fmt: skip
Weight = Annotated[float, within(0, 1_000_000)]


@dataclass(frozen=True, kw_only=True)
class StudyConfig(Stage):
    """Find out whether generated faces help to train a landmark detector: OUT/index.html.

    Trains one small detector, always for as many steps, on real faces, on generated ones, on both, and with classical
    augmentation, for several amounts of real faces and several seeds, and tests it on faces that nothing learnt from.
    Killed and started again with the same options, it continues, also with more --arms, --amounts and --seeds.

    Example: lmedge study helen/trainset --test helen/testset --out study
    Example: lmedge study faces --test others --out study --arms real+classical real+smart+classical
    """

    real: Positional[Annotated[Path, arg(metavar="PHOTOS|DATASET")]]
    """Real faces with the landmarks that the detector shall give: a folder of photos with .pts files beside them, which
    is made into the dataset OUT-real first, or a dataset made by `lmedge prepare`."""
    test: Path
    """Other faces with landmarks of the same kind: photos (made into OUT-test), or a dataset."""
    out: Path
    """Folder for the study."""
    synthetic: Path | None = None
    """Dataset of generated faces (`lmedge synthesize --format tfrecord`). Default: drawn with the model of --model."""
    model: ModelName = None
    """Model that comes with lmedge that draws them, where --synthetic names none. Default: reference."""
    run: RunIfSaid = None
    """Run whose networks mix real faces, and draw the generated ones where --synthetic names none. Default: that of
    --model."""
    arms: tuple[ArmName, ...] = USUAL
    """What detectors learn from. Beside real faces: generated ones, drawn anew (synthetic); faces between two of the
    real ones, whose latents are found first (mixed); the same, moved by a small network that learns beside the detector
    how to mix (smart: Smart Augmentation, arXiv 1703.08383); classical: all of them are mirrored, turned, lit."""
    generated: Annotated[int, whole(100, 10_000_000)] = 20000
    """Generated faces to draw, where --synthetic names none."""
    amounts: tuple[Annotated[int, whole(0)], ...] = (50, 100, 200, 400, 0)
    """Numbers of real faces to train on; 0 takes all."""
    seeds: Annotated[int, whole(1, 100)] = 3
    """Repetitions, each with other real faces and other first weights."""
    steps: Steps = 4000
    """Steps of each training, of 32 faces."""
    synthetic_share: Annotated[float, within(0.01, 0.99)] | None = None
    """Share of generated faces in a batch of both. Default: for each training that of 0, 0.3, 0.6 and 0.9 with which a
    short one does best on a fifth of its real faces; half for fewer than 10 of these, and for faces that are mixed."""
    alpha: Weight = 1.0
    """With smart arms: weight of the distance, in units of the latent, between what the network mixes and the straight
    line between the two faces."""
    beta: Weight = 1.0
    """With smart arms: weight of the detector's loss on real faces after a step on the mixed ones."""
    style: bool = True
    """Move the landmarks of generated faces to where the real ones have theirs, as far as the real faces of a training
    tell: L-Gen speaks as the annotator that it learnt from, people mean other places by some of the names. Where that
    one cannot look at photos, or has placed the real ones too, they stay."""
    workers: Workers = 0
    """Detectors trained at a time, a process and a thread each; 0 takes one a core."""
    on: Place = "local"
    """Where faces are drawn and detectors trained: on this machine, or by the nodes of a Ray cluster (extra `ray`).
    Photos, datasets and OUT must lie where all nodes see them."""
    overwrite: bool = False
    """Replace a study that is there instead of continuing it; the old one is kept in OUT/.lmedge.old until the new one
    is whole."""
