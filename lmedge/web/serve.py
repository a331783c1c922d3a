"""The `serve` stage: the page of a bundle on this machine."""

import errno
import http.server
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from lmedge.config import ServeConfig, WebExportConfig, require
from lmedge.errors import UsageError
from lmedge.web.export import FACTS_FILE, web_export


class _Handler(http.server.SimpleHTTPRequestHandler):
    extensions_map = {  # noqa: RUF012  not those of the system, which may lack some
        ".html": "text/html; charset=utf-8", ".css": "text/css", ".js": "text/javascript", ".json": "application/json",
        ".wasm": "application/wasm", "": "application/octet-stream",
    }  # fmt: skip

    def log_message(self, *_: Any) -> None:
        """Says nothing: a line a file is of no use to who opens a page."""

    def end_headers(self) -> None:
        """A page that is made anew is not to be an old one in the browser."""
        self.send_header("Cache-Control", "no-cache")
        super().end_headers()


@contextmanager
def serving(folder: Path, host: str, port: int) -> Iterator[http.server.ThreadingHTTPServer]:
    """A server for a folder, bound to the port (0: a free one). Raises UsageError where it cannot be."""
    try:
        server = http.server.ThreadingHTTPServer((host, port), partial(_Handler, directory=str(folder)))
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise UsageError(f"--port {port} is in use; take another one, or 0 for a free one.") from None
        raise UsageError(f"--host {host} --port {port} cannot be served on ({error.strerror}).") from None
    with server:
        yield server


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address of a folder that is served beside what the caller does, on this machine only."""
    with serving(folder, "127.0.0.1", 0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()


def serve(config: ServeConfig) -> None:
    """Makes the page and serves it until it is stopped; see ServeConfig. Raises as `web_export` does, and UsageError
    for a port that is in use."""
    require("--port", config.port, 0, 65535)
    with tempfile.TemporaryDirectory(prefix="lmedge-") as made:
        folder = Path(made) / "web"
        with serving(folder, config.host, config.port) as server:
            if config.bundle is not None and (config.bundle / FACTS_FILE).is_file():
                if config.variant is not None:
                    raise UsageError(f"--variant {config.variant}: {config.bundle} is a page already, with one model.")
                folder.symlink_to(config.bundle.resolve())
            else:
                web_export(WebExportConfig(bundle=config.bundle, out=folder, variant=config.variant,
                                           litert_js=config.litert_js))  # fmt: skip
            host = "localhost" if config.host in ("127.0.0.1", "") else config.host
            print(f"http://{host}:{server.server_port}/  (Ctrl+C ends it)", flush=True)
            server.serve_forever()
