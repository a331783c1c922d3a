"""`lmedge serve`."""

from lmedge.verb import INTERPRETER, LITERT_JS, Verb
from lmedge.web.options import ServeConfig


def run(config: ServeConfig) -> None:
    from lmedge.web.serve import serve

    serve(config)


VERB = Verb("serve", ServeConfig, run, needs=(INTERPRETER, LITERT_JS))
