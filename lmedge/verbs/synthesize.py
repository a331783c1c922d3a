"""`lmedge synthesize`."""

from lmedge.datasets.options import SynthesizeConfig
from lmedge.printable import print_text as print
from lmedge.verb import DATASETS, INTERPRETER, Verb


def run(config: SynthesizeConfig) -> None:
    from lmedge.datasets.synthesize import synthesize

    result = synthesize(config)
    rate = f", {result.per_second:.0f} faces/s" if result.per_second else ""
    print(f"{result.count} faces ({result.count / result.drawn:.1%} of those drawn) in {result.out}{rate}")
    print(f"{result.out}/card/contact.png shows some, {result.out}/README.md says where they are from.")


VERB = Verb("synthesize", SynthesizeConfig, run, needs=(INTERPRETER, *DATASETS))
