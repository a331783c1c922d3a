"""Options of the training of a generator that all families share."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from tyro.conf import Positional

from lmedge.bounds import Batch, Kimg, Rate, Share, TrainingSeed, whole, within
from lmedge.options import DatasetFolder, Named, Precision, RunFolder, Stage
from lmedge.place import Place

FAMILIES: dict[str, Any] = {}  # by name; `lmedge.gan.families` puts them here
FamilyName = Annotated[str, Named(lambda: tuple(FAMILIES))]


@dataclass(frozen=True)
class Preset:
    """Image size and width n, and the batch for a CPU and for a GPU."""

    size: int
    width: int
    batch: int = 16
    gpu_batch: int = 64

    def batch_for(self, cards: int) -> int:
        """Faces a step on a machine of so many GPUs."""
        return self.gpu_batch * cards if cards else self.batch


PRESETS = {
    "celeba128": Preset(size=128, width=128),
    "celeba64": Preset(size=64, width=64),
    "cpu64": Preset(size=64, width=32),
    "toy32": Preset(size=32, width=16),
}

# What the help of every family says after its first line.
EXPLANATION = """
Continues by itself when the run has a checkpoint: the same command again goes on to --kimg, also after Ctrl-C,
which saves first. Sample grids (the first one before the first step), curves for TensorBoard and log.jsonl land in
the run folder; `lmedge report RUN` draws them at any time. A training that goes wrong is stopped, with its last
good checkpoint. kimg are thousands of images seen, whatever the batch.

On several GPUs every one takes its part of the batch, and so does every machine: `--on ray` trains on all nodes of a
Ray cluster, and goes on by itself when one of them dies. Without Ray set TF_CONFIG on each machine and start the same
command on all of them, with a --run on a disk that they share or in an object store.

Example: lmedge train-gan faces --run runs/first --preset cpu64 --kimg 400
"""


# What is asked of a training whatever the family. Each family has a class of its own that adds to it, names the family,
# and is what `train_gan` takes; this one is enough to read what a run notes.
@dataclass(frozen=True, kw_only=True)
class TrainGanConfig(Stage):
    __doc__ = f"Train the face generator.\n{EXPLANATION}"

    dataset: Positional[DatasetFolder]
    """Dataset made by `prepare` or `toy`."""
    run: RunFolder
    """Folder of the run, or where it lies in an object store: s3://BUCKET/NAME."""
    family: FamilyName
    """Kind of generator, and how it learns. `--family FAMILY --help` shows the options that a family has."""
    preset: Literal["celeba128", "celeba64", "cpu64", "toy32"] = "cpu64"
    """Size of the faces, and the width that goes with it: celeba128 (128 px), celeba64 (64 px), cpu64 (64 px,
    narrower, for training without a GPU), toy32 (32 px)."""
    kimg: Kimg = 400
    """Train until this many thousand images were seen (over all sittings)."""
    width: Annotated[int, whole(1, 1024)] | None = None
    """How wide the networks are. Default: the preset's."""
    batch: Batch | None = None
    """Faces a step, over all devices and machines. Default: 16 on a CPU, 64 for each GPU of a machine."""
    latent: Annotated[int, whole(1, 4096)] | None = None
    """Components of z, uniform in -1..1. Default: 64."""
    learning_rate: Rate | None = None
    """Rate of the optimisers at the start. Default: the family's for 16 faces a step, times the root of batch / 16."""
    ema: Share = 0.999
    """Decay of the averaged generator, the one that is saved and exported."""
    mirror: bool = True
    """Flip half of the faces left to right."""
    held_out: Annotated[float, within(0, 0.4)] = 0.0
    """Share of the groups (people) of the dataset that the generator never sees. Distances are then measured to their
    faces, and L-Gen's error is theirs."""
    precision: Precision = "auto"
    """auto: bfloat16 on a GPU of compute capability 8 or more, and from n 16 on a CPU that is faster with it, which is
    tried for a moment; else float32."""
    seed: TrainingSeed = 0
    """Seed. On one CPU machine the same seed and the same threads give the same weights."""
    checkpoint_every: Kimg = 8
    """kimg between checkpoints."""
    keep_checkpoints: Annotated[int, whole(1, 1000)] = 2
    """Checkpoints kept, the newest ones; and one to go back to where the training goes wrong."""
    sample_every: Kimg = 8
    """kimg between sample grids."""
    judge_every: Kimg = 40
    """kimg between measurements of Frechet distance, kernel distance and diversity."""
    log_every: Kimg = 0.4
    """kimg between lines of log.jsonl."""
    on: Place = "local"
    """Where it trains: on this machine, or on the nodes of a Ray cluster (extra `ray`), which share the batch. DATASET
    and RUN must lie where all nodes see them."""
    workers: Annotated[int, whole(0, 10_000)] = 0
    """Nodes of the cluster that train; 0 takes all (all that have a GPU, where some do)."""
