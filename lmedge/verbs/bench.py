"""`lmedge bench`."""

from lmedge.bench.options import BenchConfig
from lmedge.printable import print_text as print
from lmedge.verb import INTERPRETER, Verb


def run(config: BenchConfig) -> None:
    from lmedge.bench.bench import bench
    from lmedge.bench.summary import show

    show(bench(config))
    if config.out:
        print(f"figures in {config.out}")


VERB = Verb("bench", BenchConfig, run, needs=(INTERPRETER,))
