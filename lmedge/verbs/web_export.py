"""`lmedge web-export`."""

from lmedge.printable import print_text as print
from lmedge.verb import INTERPRETER, LITERT_JS, Verb
from lmedge.web.options import WebExportConfig


def run(config: WebExportConfig) -> None:
    from lmedge.web.export import web_export

    result = web_export(config)
    print(f"{result.out}/index.html with {result.variant}, {result.bytes / 1e6:.0f} MB; put it on any web host, or "
          f"lmedge serve {result.out}")  # fmt: skip


VERB = Verb("web-export", WebExportConfig, run, needs=(INTERPRETER, LITERT_JS))
