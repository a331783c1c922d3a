"""What the server of the page answers, and whom."""

import io
import ipaddress
import json
import platform
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from PIL import Image

from lmedge.errors import LmedgeError
from lmedge.labelling.session import Session
from lmedge.labels.folder import Meanwhile, Placed
from lmedge.storage import parsed_json
from lmedge.web.serve import PageHandler

LARGEST_BODY = 1 << 20  # bytes; a scheme of a thousand points has a tenth
ASKED = re.compile(r"/api/(state|face|picture)(?:/(\d{1,9}))?")
SAME_SITE = (None, "same-origin", "none")


@dataclass
class Desk:
    """Where the session of a server lies once it has begun."""

    session: Session | None = None


class LabelHandler(PageHandler):
    """The files of the page; below /api/ what it asks for. No path and no name of a file comes from a request.

    Only pages of this server are answered: neither those of other origins, which a browser would let send something,
    nor those that call this machine by a name of their own (DNS rebinding).
    """

    def __init__(self, *args: Any, desk: Desk, **options: Any):
        self.desk = desk
        super().__init__(*args, **options)

    @property
    def session(self) -> Session:
        """The session, which has begun before the first request."""
        assert self.desk.session is not None
        return self.desk.session

    def do_GET(self) -> None:
        if not self._is_ours():
            return self._tell(HTTPStatus.FORBIDDEN, {"error": "Only the page of this server is answered."})
        if not self.path.startswith("/api/"):
            return super().do_GET()
        asked = ASKED.fullmatch(self.path)
        if asked is None or (asked[2] is None) != (asked[1] == "state"):
            return self.send_error(HTTPStatus.NOT_FOUND)
        what, face = asked[1], int(asked[2] or 0)
        if what == "state":
            return self._answer(self.session.state)
        self._answer(lambda: self.session.face(face) if what == "face" else self._picture(face))

    def do_HEAD(self) -> None:
        if not self._is_ours():
            return self.send_error(HTTPStatus.FORBIDDEN)
        super().do_HEAD()

    def do_POST(self) -> None:
        # A page of another origin can send forms and texts without asking, but no JSON.
        if not self._is_ours() or self.headers.get_content_type() != "application/json":
            return self._tell(HTTPStatus.FORBIDDEN, {"error": "Only the page of this server is answered."})
        act = {"/api/point": self._point, "/api/more": self._more, "/api/scheme": self._scheme}.get(self.path)
        if act is None:
            return self.send_error(HTTPStatus.NOT_FOUND)
        try:
            length = int(self.headers["Content-Length"])
        except (TypeError, ValueError):
            return self.send_error(HTTPStatus.LENGTH_REQUIRED)
        if not 0 <= length <= LARGEST_BODY:
            return self.send_error(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        body = self.rfile.read(length)

        def acted() -> dict[str, Any]:
            try:
                value = parsed_json(body)
                if not isinstance(value, dict):
                    raise ValueError("it is no object")
            except ValueError as error:
                raise LmedgeError(f"what was sent is not JSON ({error}).") from None
            return act(value)

        self._answer(acted)

    def _is_ours(self) -> bool:
        host, origin = self.headers["Host"] or "", self.headers["Origin"]
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        known = name in ("localhost", platform.node().lower()) or _is_address(name)
        return known and origin in (None, f"http://{host}") and self.headers["Sec-Fetch-Site"] in SAME_SITE

    def _point(self, value: dict[str, Any]) -> dict[str, Any]:
        face, point = (_number(value, name) for name in ("face", "point"))
        return {"now": _row(self.session.place(face, point, _placed(value, "now"), _placed(value, "was")))}

    def _more(self, value: dict[str, Any]) -> dict[str, Any]:
        return {"faces": self.session.more()}

    def _scheme(self, value: dict[str, Any]) -> dict[str, Any]:
        points = value.get("points")
        if not isinstance(points, list):
            raise LmedgeError("what was sent has no points.")
        placed = [_placed({"now": [*point, 2]}, "now") if isinstance(point, list) else None for point in points]
        if None in placed:
            raise LmedgeError("what was sent has a point without a place.")
        self.session.begin(value.get("scheme"), [[each.x, each.y] for each in placed if each is not None])
        return {}

    def _picture(self, face: int) -> bytes:
        png = io.BytesIO()
        Image.fromarray(self.session.picture(face)).save(png, "PNG")
        return png.getvalue()

    def _answer(self, act: Callable[[], dict[str, Any] | bytes]) -> None:
        try:
            found = act()
        except Meanwhile as error:
            return self._tell(HTTPStatus.CONFLICT, {"error": str(error), "now": _row(error.now)})
        except LmedgeError as error:
            return self._tell(HTTPStatus.BAD_REQUEST, {"error": str(error)})
        except OSError as error:  # a full disk; what was placed before is there
            return self._tell(HTTPStatus.INSUFFICIENT_STORAGE, {"error": f"It could not be kept ({error.strerror})."})
        self._tell(HTTPStatus.OK, found)

    def _tell(self, status: HTTPStatus, what: dict[str, Any] | bytes) -> None:
        body = what if isinstance(what, bytes) else json.dumps(what).encode()
        self.send_response(status)
        self.send_header("Content-Type", "image/png" if isinstance(what, bytes) else "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def end_headers(self) -> None:
        """No other page may show this one, where people would click on what they do not see."""
        self.send_header("Content-Security-Policy", "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'")
        self.send_header("X-Content-Type-Options", "nosniff")
        super().end_headers()


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _number(value: dict[str, Any], name: str) -> int:
    if type(value.get(name)) is not int:
        raise LmedgeError(f"what was sent has {value.get(name)!r:.60} for {name!r}, not a whole number.")
    return int(value[name])


def _placed(value: dict[str, Any], name: str) -> Placed:
    """`[x, y, visibility]`. What is no finite number is outside of every picture."""
    row = value.get(name)
    good = isinstance(row, list) and len(row) == 3 and all(type(each) in (int, float) for each in row)
    if not good or row is None or type(row[2]) is not int or not all(abs(each) < 1e6 for each in row):
        raise LmedgeError(f"what was sent has {row!r:.60} for {name!r}, not x, y and visibility.")
    return Placed(*row)


def _row(placed: Placed) -> list[float]:
    return list(asdict(placed).values())
