"""Whom the server of the page answers."""

import json

import pytest

from lmedge.labels.folder import LabelFolder
from tests.labelling.conftest import asked
from tests.labels.conftest import EYES

POINT = {"face": 0, "point": 0, "now": [3, 4, 2], "was": [0, 0, 0]}


def test_points_are_kept_and_a_second_window_overwrites_nothing(opened):
    session = opened()
    assert asked(session.url, "/api/point", POINT) == (200, {"now": [3, 4, 2]})
    assert asked(session.url, "/api/point", POINT)[0] == 200  # the answer was lost
    status, found = asked(session.url, "/api/point", {**POINT, "now": [9, 9, 2]})
    assert status == 409 and found["now"] == [3, 4, 2] and "in another window" in found["error"]
    assert asked(session.url, "/api/face/0")[1]["points"][0] == [3, 4, 2]
    assert LabelFolder.open(session.labels.path).at(0, 0).x == 3
    assert asked(session.url, "/api/picture/0")[1].startswith(b"\x89PNG")
    assert asked(session.url, "/api/state")[1]["faces"] == [1, 0, 0, 0, 0]


@pytest.mark.parametrize(("headers", "body"), [
    ({"Origin": "http://evil.example"}, POINT),
    ({"Origin": "null"}, POINT),
    ({"Host": "evil.example"}, POINT),
    ({"Host": "evil.example", "Origin": "http://evil.example"}, POINT),  # a name that points to this machine
    ({"Sec_Fetch_Site": "cross-site"}, POINT),
    ({"Content_Type": "text/plain"}, POINT),  # what a form can send
])  # fmt: skip
def test_pages_of_others_are_not_answered(opened, headers, body):
    session = opened()
    status, found = asked(session.url, "/api/point", body, **headers)
    assert status == 403 and not session.labels.placed.any() and "Only the page" in found["error"]
    if "Content_Type" not in headers:
        for path in ("/api/state", "/api/face/0", "/api/picture/0", "/"):
            assert asked(session.url, path, **headers)[0] == 403


def test_no_path_comes_from_a_request(opened, tmp_path):
    session = opened()
    for path in ("/api/picture/../labels.json", "/api/picture/0/../../labels.json", "/api/face/-1", "/api/face/1e3",
                 "/api/state/0", "/api/face", "/api/face/00000000001", "/labels.json", "/%2e%2e/labels.json",
                 "/api/point"):  # fmt: skip
        status, found = asked(session.url, path)
        assert status == 404 and b"generator" not in bytes(found), path
    status, found = asked(session.url, "/api/face/99")
    assert (status, found) == (400, {"error": "there is no face 99."})
    assert asked(session.url, "/")[1].startswith(b"<!doctype html>")
    assert asked(session.url, "/api/other", {})[0] == 404


@pytest.mark.parametrize("body", [
    b"{", b"[]", b"\xff", b"[" * 100_000, json.dumps({**POINT, "face": "0"}), json.dumps({**POINT, "face": True}),
    json.dumps({**POINT, "now": [1, 2]}), json.dumps({**POINT, "now": [1, "2", 2]}),
    json.dumps({**POINT, "now": [1, 2, 2.5]}), json.dumps({**POINT, "now": [float("nan"), 2, 2]}),
    json.dumps({**POINT, "now": [10**400, 2, 2]}), json.dumps({**POINT, "now": [40, 2, 2]}),
    json.dumps({**POINT, "point": 10**30}), json.dumps({"face": 0}), json.dumps({**POINT, "now": [1, 2, 7]}),
])  # fmt: skip
def test_what_cannot_be_meant_is_a_sentence(opened, body, capfd):
    session = opened()
    status, found = asked(session.url, "/api/point", body)
    assert status == 400 and found["error"].endswith(".") and not session.labels.placed.any()
    assert "Traceback" not in capfd.readouterr().err


def test_a_scheme_that_is_none_is_a_sentence(opened, capfd):
    session = opened(None)
    for body in ({}, {"points": [5]}, {"points": [[1, 2]], "scheme": EYES.to_json()}, {"points": [], "scheme": []},
                 {"points": [[1, 2], [3, 4], [5, None]], "scheme": EYES.to_json()}):  # fmt: skip
        status, found = asked(session.url, "/api/scheme", body)
        assert status == 400 and found["error"].endswith("."), found
    assert asked(session.url, "/api/face/0")[0] == 200 and asked(session.url, "/api/more", {})[0] == 400
    body = {"points": [[1, 2], [3, 4], [5, 6]], "scheme": EYES.to_json()}
    assert asked(session.url, "/api/scheme", body) == (200, {}) and session.labels.complete.tolist() == [True]
    session.start = None  # as after a restart
    assert asked(session.url, "/api/scheme", body)[0] == 400
    assert "Traceback" not in capfd.readouterr().err


def test_a_full_disk_is_a_sentence(opened, monkeypatch):
    session = opened()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(session, "place", full)
    status, found = asked(session.url, "/api/point", POINT)
    assert (status, found) == (507, {"error": "It could not be kept (No space left on device)."})
