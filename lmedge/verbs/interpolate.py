"""`lmedge interpolate`."""

from lmedge.printable import print_text as print
from lmedge.runtime.options import InterpolateConfig
from lmedge.verb import INTERPRETER, Verb


def run(config: InterpolateConfig) -> None:
    from lmedge.runtime.gallery import interpolate

    result = interpolate(config)
    print(f"{result.count} faces in {result.out}")


VERB = Verb("interpolate", InterpolateConfig, run, needs=(INTERPRETER,))
