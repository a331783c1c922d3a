import http.client
import os
import signal
import socket
import struct
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest

from lmedge.errors import UsageError
from lmedge.web.options import ServeConfig
from lmedge.web.serve import PageHandler, serve, served


@pytest.fixture
def folder(tmp_path):
    """A small page with what must not be served: links that lead out of it, a pipe, a folder without a page."""
    (tmp_path / "secret.txt").write_text("secret")
    (tmp_path / "private").mkdir()
    (tmp_path / "private" / "index.html").write_text("secret")
    page = tmp_path / "page"
    (page / "litert").mkdir(parents=True)
    (page / "index.html").write_text("a page")
    (page / "litert" / "core.js").write_text("1;")
    (page / "inside.js").symlink_to("litert/core.js")
    (page / "link.txt").symlink_to("../secret.txt")
    (page / "folder").symlink_to(tmp_path / "private")
    (page / "sub").mkdir()
    (page / "sub" / "index.html").symlink_to(tmp_path / "secret.txt")
    (page / "round").symlink_to("round")
    os.mkfifo(page / "pipe")
    return page


def asked(url, path, **headers):
    """Status, headers and body of an answer; nothing tidies the path."""
    connection = http.client.HTTPConnection(url.split("/")[2], timeout=20)
    connection.putrequest("GET", path)
    for name, value in headers.items():
        connection.putheader(name.replace("_", "-"), value)
    connection.endheaders()
    answer = connection.getresponse()
    found = answer.status, answer.headers, answer.read()
    connection.close()
    return found


def test_only_files_of_the_folder_are_served(folder, tmp_path, capfd):
    (tmp_path / "by link").symlink_to(folder)  # the folder itself may be named by a link
    out = [
        "/link.txt",
        "/folder/",
        "/folder/index.html",
        "/sub/",
        "/sub/index.html",
        "/../secret.txt",
        "/%2e%2e/secret.txt",
    ]
    odd = [
        "/%00",
        "/index.html%00",
        "/pipe",
        "/round",
        "/litert/",
        "/index.html/",
        "/" + "a" * 5000,
        "/%ff%fe",
        "*",
        "//",
    ]
    with served(tmp_path / "by link") as url:
        for path, text in (
            ("/", b"a page"),
            ("/index.html", b"a page"),
            ("/inside.js", b"1;"),
            ("/litert/core.js", b"1;"),
        ):
            assert asked(url, path)[::2] == (200, text)
        for path in out + odd:
            status, _, body = asked(url, path)
            assert b"secret" not in body and b"core.js" not in body, path
            assert status == 404 or (path in ("*", "//") and status in (200, 301)), path
    assert capfd.readouterr().err == ""


def test_a_page_made_anew_is_not_an_old_one(folder):
    with served(folder) as url:
        _, headers, _ = asked(url, "/index.html")
        tag, date = headers["ETag"], headers["Last-Modified"]
        assert headers["Cache-Control"] == "no-cache"
        assert asked(url, "/index.html", If_None_Match=tag, If_Modified_Since=date)[::2] == (304, b"")
        (folder / "new").write_text("A page")  # as long, and older
        os.utime(folder / "new", (0, 0))
        (folder / "new").replace(folder / "index.html")
        assert asked(url, "/index.html", If_None_Match=tag, If_Modified_Since=date)[::2] == (200, b"A page")
        assert asked(url, "/index.html", If_Modified_Since=date)[::2] == (200, b"A page")


def test_a_browser_that_goes_away_or_says_nothing_is_no_matter(folder, capfd, monkeypatch):
    monkeypatch.setattr(PageHandler, "timeout", 0.3)
    (folder / "large.wasm").write_bytes(bytes(8 << 20))
    with served(folder) as url:
        host, port = url.split("/")[2].split(":")
        for asks in (b"GET /large.wasm HTTP/1.0\r\n\r\n", b"GET /large"):
            away = socket.create_connection((host, int(port)))
            away.sendall(asks)
            away.recv(1) if asks.endswith(b"\r\n") else None
            away.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # closing resets
            away.close()
        with socket.create_connection((host, int(port)), timeout=20) as idle:
            began = time.monotonic()
            assert idle.recv(1) == b"" and time.monotonic() - began < 10
        assert asked(url, "/")[0] == 200
    assert capfd.readouterr().err == ""


def test_a_wrong_call_is_refused(site):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=f"--port {port} is in use; take another one, or 0 for a free one"):
            serve(ServeConfig(port=port))
    with pytest.raises(UsageError, match="--variant int8: .* is a page already, with one model"):
        serve(ServeConfig(bundle=site, port=0, variant="int8"))
    with pytest.raises(UsageError, match="--port must be between 0 and 65535, not 70000"):
        serve(ServeConfig(port=70000))
    with pytest.raises(UsageError, match=r"--host 203\.0\.113\.1 --port 0 cannot be served on"):
        serve(ServeConfig(host="203.0.113.1", port=0))
    with pytest.raises(UsageError, match="--host is empty; take 127.0.0.1 for this machine only"):
        serve(ServeConfig(host="", port=0))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_it_shows_a_page_until_it_is_stopped_and_leaves_nothing(site, vendored, tmp_path, number):
    made = [] if number == signal.SIGTERM else [str(site)]  # once from the model
    command = [sys.executable, "-m", "lmedge", "serve", *made, "--port", "0"]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=environment, **streams) as server:
        try:
            url, *after = server.stdout.readline().split(maxsplit=1)
            assert url.startswith("http://localhost:") and after == ["(Ctrl+C ends it)\n"]
            with urllib.request.urlopen(url, timeout=30) as answer:
                assert b"<title>lmedge" in answer.read()
                assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
            with urllib.request.urlopen(f"{url}litert/litert_wasm_internal.wasm", timeout=30) as answer:
                assert answer.headers["Content-Type"] == "application/wasm"
            assert any(tmp_path.iterdir())
            server.send_signal(number)
            assert server.wait(30) == 130
        finally:
            server.kill()
        said = server.stderr.read()
    assert said.endswith("lmedge: stopped; the page is no longer served.\n") and said.count("stopped") == 1, said
    assert not any(tmp_path.iterdir())


def test_every_network_is_said_where_it_is_meant(site, capsys, monkeypatch):
    monkeypatch.setattr("http.server.ThreadingHTTPServer.serve_forever", lambda self: None)
    serve(ServeConfig(bundle=site, host="0", port=0))
    assert "/ and every other address of this machine  (Ctrl+C ends it)" in capsys.readouterr().out
