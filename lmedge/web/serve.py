"""The `serve` stage: the page of a bundle on this machine."""

import errno
import http.server
import os
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any

from lmedge.errors import UsageError
from lmedge.interrupt import EXIT_CODE, asking
from lmedge.shipped import bundle_at
from lmedge.web.export import FACTS_FILE, web_export
from lmedge.web.options import ServeConfig, WebExportConfig

IDLE = 30  # seconds after which a connection that says nothing, or takes nothing, is closed


class PageHandler(http.server.SimpleHTTPRequestHandler):
    """Answers for the files of a folder."""

    protocol_version = "HTTP/1.1"  # of an older one Chromium takes no tags
    timeout = IDLE
    tag = ""
    extensions_map = {  # noqa: RUF012  not those of the system, which may lack some
        ".html": "text/html; charset=utf-8", ".css": "text/css", ".js": "text/javascript", ".json": "application/json",
        ".wasm": "application/wasm", "": "application/octet-stream",
    }  # fmt: skip

    def send_head(self) -> Any:
        """Answers for the files of the folder alone: no links that lead out of it, no pipes, no lists of folders. A
        file has a tag, as its date does not tell it from that of another page that was at this address before."""
        file = self._file()
        if file is None:
            return self.send_error(HTTPStatus.NOT_FOUND)
        facts = file.stat()
        self.tag = f'"{facts.st_dev:x}-{facts.st_ino:x}-{facts.st_mtime_ns:x}-{facts.st_size:x}"'
        if self.headers["If-None-Match"] == self.tag:
            self.send_response(HTTPStatus.NOT_MODIFIED)
            return self.end_headers()
        del self.headers["If-Modified-Since"]
        return super().send_head()

    def _file(self) -> Path | None:
        try:
            file = Path(os.path.realpath(self.translate_path(self.path)))
            if file.is_dir():
                file = Path(os.path.realpath(file / "index.html"))
            return file if file.is_file() and file.is_relative_to(os.path.realpath(self.directory)) else None
        except (OSError, ValueError):  # a path that no file can have
            return None

    def log_message(self, *_: Any) -> None:
        """Says nothing: a line a file is of no use to who opens a page."""

    def end_headers(self) -> None:
        """A page that is made anew is not to be an old one in the browser."""
        self.send_header("Cache-Control", "no-cache")
        self.send_header("Connection", "close")  # a server that is stopped answers no more
        if self.tag:
            self.send_header("ETag", self.tag)
        super().end_headers()


Handler = Callable[..., PageHandler]  # (..., directory=its files)


class _Server(http.server.ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Says nothing of a browser that went away."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


@contextmanager
def serving(
    folder: Path, host: str, port: int, handler: Handler = PageHandler
) -> Iterator[http.server.ThreadingHTTPServer]:
    """A server for a folder, bound to the port (0: a free one). Raises UsageError where it cannot be."""
    if not host:
        raise UsageError("--host is empty; take 127.0.0.1 for this machine only, 0.0.0.0 for every network it is in.")
    try:
        server = _Server((host, port), partial(handler, directory=str(folder)))
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise UsageError(f"--port {port} is in use; take another one, or 0 for a free one.") from None
        raise UsageError(f"--host {host} --port {port} cannot be served on ({error.strerror}).") from None
    with server:
        yield server


@contextmanager
def served(folder: Path, port: int = 0, handler: Handler = PageHandler) -> Iterator[str]:
    """The address of a folder that is served beside what the caller does, on this machine only."""
    with serving(folder, "127.0.0.1", port, handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()


def serve(config: ServeConfig) -> None:
    """Makes the page and serves it until it is stopped; see ServeConfig. Raises SystemExit then, what `web_export`
    raises, and UsageError for an address or a port that cannot be had."""
    bundle_at(config.bundle, config.model)  # refuses two, before the port is taken
    page = config.bundle if config.bundle is not None and (config.bundle / FACTS_FILE).is_file() else None
    if page is not None and config.variant is not None:
        raise UsageError(f"--variant {config.variant}: {page} is a page already, with one model.")
    with asking(end, "stopped; the page is no longer served."), tempfile.TemporaryDirectory(prefix="lmedge-") as made:
        folder = page or Path(made) / "web"
        with serving(folder, config.host, config.port) as server:  # before the page is made: the port may be in use
            if page is None:
                web_export(WebExportConfig(bundle=config.bundle, model=config.model, out=folder, variant=config.variant,
                                           litert_js=config.litert_js))  # fmt: skip
            until_stopped(server)


def until_stopped(server: http.server.ThreadingHTTPServer) -> None:
    """Says where the page is, and answers until somebody ends the process."""
    host = str(server.server_address[0])
    here = "localhost" if host in ("127.0.0.1", "0.0.0.0") else host
    elsewhere = " and every other address of this machine" if host == "0.0.0.0" else ""
    print(f"http://{here}:{server.server_port}/{elsewhere}  (Ctrl+C ends it)", flush=True)
    server.serve_forever()


def end() -> None:
    """Ends a server that was asked to stop."""
    raise SystemExit(EXIT_CODE)
