"""`lmedge train-detector`."""

from lmedge.detecting.options import TrainDetectorConfig
from lmedge.printable import print_text as print
from lmedge.verb import TRAIN, Verb


def run(config: TrainDetectorConfig) -> None:
    from lmedge.detecting.page import lines_of
    from lmedge.detecting.train import train_detector

    made = train_detector(config)
    lines = [*lines_of(made), ("tested on", made.lesson.tested_on)]
    width = max(len(label) for label, _ in lines)
    for label, text in lines:
        print(f"{label:{width}}  {text}")
    print(f"report: {made.out / 'index.html'}")


VERB = Verb("train-detector", TrainDetectorConfig, run, needs=TRAIN)
