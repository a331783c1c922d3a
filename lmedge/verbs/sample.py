"""`lmedge sample`."""

from lmedge.printable import print_text as print
from lmedge.runtime.options import SampleConfig
from lmedge.verb import INTERPRETER, Verb


def run(config: SampleConfig) -> None:
    from lmedge.runtime.gallery import sample

    result = sample(config)
    sampler = result.sampler
    print(f"{result.count} faces in {result.out} ({sampler.variant} on {sampler.interpreter}); see contact.png")


VERB = Verb("sample", SampleConfig, run, needs=(INTERPRETER,))
