"""`lmedge study`."""

from lmedge.printable import print_text as print
from lmedge.study.options import StudyConfig
from lmedge.verb import DATASETS, TRAIN, Verb


def run(config: StudyConfig) -> None:
    from lmedge.study.report import answer
    from lmedge.study.study import study

    result = study(config)
    for (arm, amount), found in sorted(result.errors.items(), key=lambda item: item[0][1]):
        print(f"{amount:6} real faces  {arm:<30} NME {found}")
    for line in answer(result):
        print(line)
    print(f"report: {result.out / 'index.html'}")


VERB = Verb("study", StudyConfig, run, needs=(*TRAIN, *DATASETS))
