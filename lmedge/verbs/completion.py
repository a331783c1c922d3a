"""`lmedge completion`."""

from lmedge.about.options import CompletionConfig
from lmedge.verb import Verb


def run(config: CompletionConfig) -> None:
    from lmedge.about.completion import completion
    from lmedge.option_help import described
    from lmedge.verbs import VERBS

    print(completion(config.shell, {name: described(verb.options) for name, verb in VERBS.items()}), end="")


VERB = Verb("completion", CompletionConfig, run)
