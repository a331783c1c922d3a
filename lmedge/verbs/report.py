"""`lmedge report`."""

from lmedge.evaluation.options import ReportConfig
from lmedge.fetched import origin
from lmedge.printable import print_text as print
from lmedge.verb import Verb


def run(config: ReportConfig) -> None:
    from lmedge.evaluation.report import report

    print(f"report: {origin(report(config))}")


VERB = Verb("report", ReportConfig, run, needs=("opencv-contrib-python", "jinja2", "matplotlib"))
