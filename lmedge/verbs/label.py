"""`lmedge label`."""

from lmedge.labelling.options import LabelConfig
from lmedge.verb import Verb


def run(config: LabelConfig) -> None:
    from lmedge.labelling.label import label

    label(config)


# A bundle would do with an interpreter, but nobody labels on a board.
VERB = Verb("label", LabelConfig, run, needs=("tensorflow", "keras"))
