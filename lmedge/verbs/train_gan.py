"""`lmedge train-gan`."""

import sys

from lmedge.gan.families import names, options_of
from lmedge.gan.options import TrainGanConfig
from lmedge.printable import print_text as print
from lmedge.verb import Choice, Verb


def run(config: TrainGanConfig) -> None:
    from lmedge.gan.devices import take_threads
    from lmedge.gan.train import train_gan
    from lmedge.run import Run

    take_threads()
    result = train_gan(config)
    rate = f", {result.images_per_second:.1f} images/s" if result.images_per_second else ""
    samples = Run(config.run).samples
    shown = f"samples in {samples}, " if samples.is_dir() else ""
    print(f"{result.kimg:g} kimg{rate}; {shown}next: lmedge invert {config.run} DATASET")


def resolve(config: TrainGanConfig) -> TrainGanConfig:
    """Says on stderr what it has picked."""
    from lmedge.gan.train import picked
    from lmedge.gan.train import resolve as resolved

    for what, text in picked(config):
        print(f"{what:<20} {text}", file=sys.stderr)
    return resolved(config)


VERB = Verb("train-gan", TrainGanConfig, run, needs=("tensorflow", "keras", "opencv-contrib-python"),
            resolve=resolve, choice=Choice("--family", names, options_of))  # fmt: skip
