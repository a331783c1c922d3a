"""`lmedge demo`."""

from lmedge.demo.options import DemoConfig
from lmedge.verb import DATASETS, TRAIN, Verb


def run(config: DemoConfig) -> None:
    from lmedge.demo.demo import demo

    demo(config)


VERB = Verb("demo", DemoConfig, run, needs=(*TRAIN, *DATASETS))
