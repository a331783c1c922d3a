"""The page in a real browser, with mouse, keys and fingers."""

import numpy as np
import pytest

from lmedge.labels.folder import LabelFolder, Placed
from lmedge.scheme import scheme_of
from tests.labelling.test_session import label
from tests.web.screen import PHONE, waiting

LAPTOP = {"width": 1280, "height": 800}


@pytest.fixture
def window(browser):
    """Opens windows: `window(session)` -> page; what the page itself fails at is an error."""
    contexts, errors = [], []

    def open_(session, making=False, **options):
        contexts.append(browser.new_context(viewport=LAPTOP, **options))
        page = contexts[-1].new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(session.url)
        waiting(page, "window.lmedge?.state.made" if making else "window.lmedge?.state.ready")
        return page

    yield open_
    for context in contexts:
        context.close()
    assert errors == []


def at(page, x, y):
    """Where a pixel of the face is in the window."""
    box = page.locator("#canvas").bounding_box()
    scale = box["width"] / 32
    return box["x"] + (x + 0.5) * scale, box["y"] + (y + 0.5) * scale


def kept(page):
    """Waits until the server has what was placed."""
    waiting(page, "!lmedge.state.store.working")


def points(session):
    """Of face 0, as on the disk: rows of x, y and visibility."""
    labels = LabelFolder.open(session.labels.path)
    return [(round(p.x, 1), round(p.y, 1), p.visibility) for p in (labels.at(0, k) for k in range(3))]


NOT_PLACED = (0, 0, 0)


def test_points_are_clicked_dragged_hidden_removed_and_undone(opened, window):
    session = opened()
    page = window(session)
    assert page.inner_text("#name") == "right pupil"
    # At least 8 times as large as its pixels, and enlarged without steps.
    assert page.locator("#canvas").bounding_box()["width"] >= 8 * 32
    page.mouse.click(*at(page, 10, 12))
    assert page.inner_text("#name") == "left pupil"  # the next one
    page.mouse.click(*at(page, 20, 12))
    kept(page)
    assert points(session) == [(10, 12, 2), (20, 12, 2), NOT_PLACED]
    page.mouse.move(*at(page, 10, 12))
    page.mouse.down()
    page.mouse.move(*at(page, 11, 14), steps=3)
    assert page.locator("#loupe").is_visible() and points(session)[0] == (10, 12, 2)
    page.mouse.up()
    page.click("#hidden")
    kept(page)
    assert points(session)[0] == (11, 14, 1) and page.get_attribute("#hidden", "aria-pressed") == "true"
    page.click("#points li:nth-child(2)")
    page.click("#remove")
    kept(page)
    assert points(session) == [(11, 14, 1), NOT_PLACED, NOT_PLACED]
    for wanted in ((20, 12, 2), (11, 14, 2), (10, 12, 2)):
        page.click("#undo")
        kept(page)
        assert wanted in points(session)
    page.click("#undo")
    page.click("#undo")
    kept(page)
    assert points(session) == [NOT_PLACED] * 3 and page.is_disabled("#undo")


def test_keys_do_everything(opened, window):
    session = opened()
    page = window(session)
    page.keyboard.press("Enter")
    assert page.inner_text("#status") == "Click right pupil, or move it there with the arrows."
    page.keyboard.press("Shift+ArrowLeft")  # from the middle, 15.5
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    kept(page)
    assert points(session)[0] == (14.5, 15.2, 2) and page.inner_text("#name") == "left pupil"
    page.keyboard.press("p")
    page.keyboard.press("ArrowDown")  # one that is placed is kept at once
    page.keyboard.press("h")
    kept(page)
    assert points(session)[0] == (14.5, 15.5, 1)
    page.keyboard.press("Delete")
    page.keyboard.press("z")
    page.keyboard.press("Control+z")
    kept(page)
    assert points(session)[0] == (14.5, 15.5, 2)
    page.keyboard.press("n")
    assert page.inner_text("#name") == "left pupil"
    page.keyboard.press("PageDown")
    waiting(page, "lmedge.state.face === 1")
    page.keyboard.press("PageUp")
    waiting(page, "lmedge.state.face === 0")
    page.keyboard.press("k")
    page.keyboard.press("?")
    assert page.is_checked("#known") and page.locator("#keys dl").is_visible()
    assert len(page.evaluate("lmedge.view.marks()")) == 49 + 1
    assert "unsafe" not in page.content()


def test_the_last_faces_are_mostly_confirmed(opened, window):
    session = opened()
    label(session, range(5))
    label(session, range(5, session.more()))
    page = window(session)
    page.keyboard.press("PageDown")  # beyond the last one there are new ones
    waiting(page, "lmedge.state.face === 10 && lmedge.state.proposals.length === 3")
    assert "Face 11 of 15, 0 of 3 points; 10 whole; error on faces left out" in page.inner_text("#status")
    assert page.inner_text("#hint") == "is proposed; confirm it, or click it"
    x, y = page.evaluate("lmedge.state.proposals[2].slice(0, 2)")
    page.mouse.move(*at(page, x, y))
    page.mouse.down()
    page.mouse.move(*at(page, x + 2, y), steps=4)
    page.mouse.up()  # the proposal that is dragged, not the point that it is about
    kept(page)
    assert [row[2] for row in page.evaluate("lmedge.state.points")] == [0, 0, 2]
    page.keyboard.press("Control+z")
    page.keyboard.press("n")
    page.click("#before")
    waiting(page, "lmedge.state.face === 9")
    assert page.inner_text("#hint").endswith("This face is done; → brings the next one")
    before = page.evaluate("lmedge.state.points")
    page.mouse.click(*at(page, 1, 1))  # far from all
    assert page.evaluate("lmedge.state.points") == before
    page.click("#after")
    waiting(page, "lmedge.state.face === 10")
    page.keyboard.press("Enter")  # not the button that was clicked
    page.keyboard.press("a")
    kept(page)
    assert page.evaluate("lmedge.state.face") == 10
    labels = LabelFolder.open(session.labels.path)
    assert labels.complete.tolist() == [True] * 11 + [False] * 4
    assert np.abs(labels.points[10] - session.model.truth(labels.z[10:11])[0])[:2].max() < 0.5


def test_two_windows_do_not_overwrite_each_other(opened, window):
    session = opened()
    first, second = window(session), window(session)
    first.mouse.click(*at(first, 10, 12))
    kept(first)
    second.mouse.click(*at(second, 20, 20))  # the same point, which it has not seen placed
    waiting(second, "lmedge.state.error")
    assert "right pupil was moved elsewhere in the meantime" in second.inner_text("#status")
    assert second.evaluate("lmedge.state.points[0]") == [10, 12, 2]
    second.mouse.click(*at(second, 20, 12))  # the one after it
    kept(second)
    assert points(session) == [(10, 12, 2), (20, 12, 2), NOT_PLACED]
    first.evaluate("dispatchEvent(new Event('focus'))")
    waiting(first, "lmedge.state.points[1][2] === 2")


def test_what_is_placed_while_the_server_is_away_is_sent_when_it_is_back(opened, window):
    session = opened()
    page = window(session)
    away = [True]
    page.route("**/api/point", lambda route: route.abort() if away[0] else route.continue_())
    page.mouse.click(*at(page, 10, 12))
    page.mouse.click(*at(page, 20, 12))
    waiting(page, "lmedge.state.store.lost")
    assert "The server does not answer" in page.inner_text("#status") and points(session) == [NOT_PLACED] * 3
    away[0] = False
    kept(page)
    assert points(session) == [(10, 12, 2), (20, 12, 2), NOT_PLACED]
    assert "does not answer" not in page.inner_text("#status")


def test_what_is_placed_before_server_and_page_are_ended_is_sent_when_both_are_back(opened, window):
    session = opened()
    page, other = window(session), window(session)
    page.context.route("**/api/point", lambda route: route.abort())
    for place in ((10, 12), (20, 12), (15, 25)):
        page.mouse.click(*at(page, *place))
    waiting(page, "lmedge.state.store.lost && lmedge.state.store.waiting.length === 3")
    page.close()
    other.mouse.click(*at(other, 22, 22))  # right pupil, in another browser and later
    kept(other)
    page.context.unroute("**/api/point")
    page = page.context.new_page()
    page.goto(session.url)
    waiting(page, "window.lmedge?.state.ready")
    assert points(session) == [(22, 22, 2), (20, 12, 2), (15, 25, 2)]
    assert "right pupil was moved elsewhere in the meantime" in page.inner_text("#status")
    assert page.evaluate("[lmedge.state.points, Object.keys(localStorage)]") == [
        [[22, 22, 2], [20, 12, 2], [15, 25, 2]], []
    ]  # fmt: skip


# What a window leaves behind that has placed the left pupil.
LEFT = """labels => localStorage.setItem(`lmedge-labels:${labels}:y`,
    JSON.stringify([{face: 0, point: 1, now: [5, 5, 2], was: [0, 0, 0]}]))"""


def test_what_was_placed_on_other_labels_is_not_sent(opened, window, tmp_path):
    session = opened()
    page = window(session)
    page.evaluate(LEFT, "of another folder")
    page.reload()
    waiting(page, "window.lmedge?.state.ready")
    assert points(session) == [NOT_PLACED] * 3
    page.evaluate("localStorage.setItem(`lmedge-labels:${lmedge.state.labels}:x`, '{nonsense')")
    page.evaluate(LEFT, session.labels.name)
    page.reload()
    waiting(page, "window.lmedge?.state.ready")
    assert points(session) == [NOT_PLACED, (5, 5, 2), NOT_PLACED]
    made = LabelFolder.create(tmp_path / "other", session.model, session.labels.scheme)
    assert made.name != session.labels.name and session.state()["labels"] == session.labels.name


def test_a_finger_places_and_moves_points_on_a_phone(opened, window):
    session = opened()
    page = window(session, has_touch=True)
    page.set_viewport_size(PHONE)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.touchscreen.tap(*at(page, 10, 12))
    kept(page)
    assert points(session)[0] == pytest.approx((10, 12, 2), abs=0.11)
    client = page.context.new_cdp_session(page)

    def touch(kind, *place):
        dots = [{"x": place[0], "y": place[1]}] if place else []
        client.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": dots})

    touch("touchStart", *at(page, 10.5, 12))  # near it is enough
    touch("touchMove", *at(page, 16.5, 22))
    box, finger = page.locator("#loupe").bounding_box(), at(page, 16.5, 22)
    assert page.locator("#loupe").is_visible() and box["y"] + box["height"] < finger[1]
    touch("touchEnd")
    kept(page)
    assert points(session)[0] == pytest.approx((16, 22, 2), abs=0.11) and page.locator("#loupe").is_hidden()
    assert page.evaluate("scrollY") == 0


def test_a_scheme_is_made_on_the_page(opened, window, tmp_path):
    session = opened(None)
    page = window(session, making=True)
    page.mouse.click(*at(page, 5, 5))
    assert page.inner_text("#status") == "Name the point first, then click it."
    page.fill("#point-name", "Right pupil")
    page.mouse.click(*at(page, 10, 12))
    assert page.input_value("#point-name") == "Left pupil"  # the partner is suggested
    page.mouse.click(*at(page, 20, 12))
    page.fill("#point-name", "chin")
    page.keyboard.press("Enter")  # is named; it is not over
    page.mouse.click(*at(page, 15, 28))
    page.fill("#scheme-name", "faces/mine")
    page.click("#done")
    waiting(page, "document.getElementById('status').className === 'error'")
    assert page.inner_text("#status").startswith("The scheme has the name 'faces/mine'; begin names with a letter")
    assert not (tmp_path / "labels").exists()
    page.fill("#scheme-name", "mine")
    page.click("#done")
    waiting(page, "lmedge.state.ready")
    made = scheme_of(str(tmp_path / "labels" / "scheme.json"))
    assert (made.name, made.names, made.mirror, made.reference) == (
        "mine", ("Right pupil", "Left pupil", "chin"), (1, 0, 2), (0, 1)
    )  # fmt: skip
    labels = LabelFolder.open(tmp_path / "labels")
    assert labels.complete.tolist() == [True] and labels.at(0, 2) == pytest.approx(Placed(15, 28, 2), abs=0.1)
