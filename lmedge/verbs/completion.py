"""`lmedge completion`."""

from lmedge.about.options import CompletionConfig
from lmedge.verb import Verb


def run(config: CompletionConfig) -> None:
    from lmedge.about.completion import completion
    from lmedge.verbs import VERBS

    print(completion(config.shell, VERBS.values()), end="")


VERB = Verb("completion", CompletionConfig, run)
