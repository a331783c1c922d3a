"""`lmedge sample`."""

from lmedge.printable import print_text as print
from lmedge.runtime.options import SampleConfig
from lmedge.verb import INTERPRETER, Verb


def run(config: SampleConfig) -> None:
    from lmedge.runtime.gallery import sample

    result = sample(config)
    sampler = result.sampler
    how = f"{sampler.variant} on {sampler.interpreter}"
    print(f"{result.count} faces in {result.out} ({how}); {result.out}/contact.png shows some.")


VERB = Verb("sample", SampleConfig, run, needs=(INTERPRETER,))
