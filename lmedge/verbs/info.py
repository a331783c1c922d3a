"""`lmedge info`."""

import json

from lmedge.about.options import InfoConfig
from lmedge.printable import print_text as print
from lmedge.verb import Verb


def run(config: InfoConfig) -> None:
    from lmedge.about.info import info
    from lmedge.about.summary import summary

    facts = info(config)
    print(json.dumps(facts, indent=2) if config.json else "\n".join(summary(facts)))


VERB = Verb("info", InfoConfig, run)
