"""The page on which people place points, of a model that needs no network."""

import http.client
import json
from functools import partial

import pytest

from lmedge.labelling.handler import Desk, LabelHandler
from lmedge.labelling.label import PAGE
from lmedge.labelling.session import Session
from lmedge.labels.folder import ABOUT_FILE, LabelFolder
from lmedge.web.serve import served
from tests.labels.conftest import EYES, model  # noqa: F401


@pytest.fixture
def opened(model, tmp_path):  # noqa: F811
    """A session of new labels in tmp_path/labels, and its server: `opened(scheme)` -> session; `.url`, `.ask`."""
    closing = []

    def begin(scheme=EYES):
        folder = tmp_path / "labels"
        create = partial(LabelFolder.create, folder, model)
        there = (folder / ABOUT_FILE).exists()
        labels = LabelFolder.open(folder) if there else create(scheme) if scheme else None
        session = Session(model, labels, create)
        serving = served(PAGE, handler=partial(LabelHandler, desk=Desk(session)))
        session.url = serving.__enter__()
        closing.append((session, serving))
        return session

    yield begin
    for session, serving in closing:
        serving.__exit__(None, None, None)
        session.close()


def asked(url, path, body=None, **headers):
    """Status and answer of a request, JSON where it is; as the page asks, unless headers say otherwise."""
    connection = http.client.HTTPConnection(url.split("/")[2], timeout=60)
    if body is not None:
        headers = {"Content-Type": "application/json", "Origin": url.rstrip("/")} | headers
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    data = json.dumps(body) if isinstance(body, dict) else body
    connection.request("GET" if body is None else "POST", path, data, headers)
    answer = connection.getresponse()
    found = answer.read()
    connection.close()
    kind = answer.headers.get("Content-Type", "")
    return answer.status, json.loads(found) if kind.startswith("application/json") else found
