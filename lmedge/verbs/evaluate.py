"""`lmedge evaluate`."""

from lmedge.evaluation.options import EvaluateConfig
from lmedge.fetched import origin
from lmedge.printable import print_text as print
from lmedge.verb import DATASETS, TRAIN, Verb


def run(config: EvaluateConfig) -> None:
    from lmedge.evaluation.evaluate import evaluate

    result = evaluate(config)
    for name, value in result.lines:
        print(f"{name:<42} {value}")
    for note in result.notes:
        print(note)
    print(f"report: {origin(result.page / 'index.html')}")


VERB = Verb("evaluate", EvaluateConfig, run, needs=(*TRAIN, *DATASETS))
