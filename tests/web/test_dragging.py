"""The page of a model that can be asked for landmarks: sliders of their axes, and points that are dragged."""

import numpy as np
import pytest

from lmedge.latent import uniform
from lmedge.runtime import FaceSampler
from lmedge.web.export import web_export
from lmedge.web.options import WebExportConfig
from lmedge.web.serve import served
from tests.web.screen import PHONE, canvas, drawn, load, shown, waiting

POINT = 24  # in the middle of the grid
PERSON, SHAPE = slice(0, 4), slice(4, 10)


@pytest.fixture(scope="module")
def sampler(obedient):
    return FaceSampler(obedient, threads=1)


@pytest.fixture(scope="module")
def obeying(obedient, vendored, tmp_path_factory):
    out = tmp_path_factory.mktemp("obedient") / "site"
    with served(web_export(WebExportConfig(bundle=obedient, out=out)).out) as url:
        yield url


@pytest.fixture
def page(browser, obeying):
    context = browser.new_context(viewport=PHONE, has_touch=True)
    opened, errors = context.new_page(), []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    load(opened, obeying)
    yield opened
    context.close()
    assert errors == []


def latent(page):
    return np.array(page.evaluate("[...lmedge.state.z]"), np.float32)


def marks(page):
    """Landmarks on the screen, normalised `[K, 2]`."""
    return np.array(page.evaluate("[...lmedge.state.face.landmarks]"), np.float32).reshape(-1, 2)


def place(page, share):
    """Where in the window a share of the picture lies."""
    box = page.locator("#canvas").bounding_box()
    return box["x"] + share[0] * box["width"], box["y"] + share[1] * box["height"]


def drag(page, begin, end):
    """With the mouse, from a share of the picture to another."""
    page.evaluate("scrollTo(0, 0)")
    page.mouse.move(*place(page, begin))
    page.mouse.down()
    drawn(page, page.mouse.move, *place(page, (begin + end) / 2))
    drawn(page, page.mouse.move, *place(page, end))
    page.mouse.up()


def test_faces_and_landmarks_are_those_of_the_python_runtime(page, sampler):
    for seed in (1, 2):
        drawn(page, page.click, "#new")
        z, image, points = shown(page)
        wanted = sampler.sample(1, seed)
        assert (z == wanted.latents[0]).all() and (z == sampler.latent.draw(1, seed)[0]).all()
        assert np.abs(image.astype(int) - wanted.images[0]).max() <= 1
        assert points == pytest.approx(wanted.landmarks, abs=0.05)


def test_points_of_which_the_model_is_unsure_are_fainter(page, sampler):
    sure = page.evaluate("[...lmedge.state.face.pointConfidence]")
    assert sure == pytest.approx(sampler.render(latent(page)[None]).point_confidence[0], abs=1e-4)
    places, found = (marks(page) * 512).astype(int), canvas(page)
    colours = np.array([found[y - 1 : y + 2, x - 1 : x + 2].reshape(-1, 3).mean(axis=0) for x, y in places])
    green = np.abs(colours - (0, 224, 90)).max(axis=1) < 25
    assert green[::2].all() and not green[1::2].any() and min(sure[::2]) > 0.9 and max(sure[1::2]) < 0.1


def test_a_point_that_is_dragged_is_drawn_where_it_was_dropped(page, sampler):
    before, z = marks(page), latent(page)
    assert page.inner_text("#hint") == "Drag a landmark, and the shape of the face follows."
    target = before[POINT] + (0.09, -0.06)
    drag(page, before[POINT], target)
    assert marks(page)[POINT] == pytest.approx(target, abs=4e-3)
    x, y = (target * 512).astype(int)
    assert canvas(page)[y - 1 : y + 2, x - 1 : x + 2].reshape(-1, 3).mean(axis=0) == pytest.approx((0, 224, 90), abs=25)
    # The same person, of the likeliest such shape: the shortest way of the numbers.
    moved = latent(page) - z
    slopes = np.array(sampler.latent.shape.shapes.axes)[:, 2 * POINT : 2 * POINT + 2]
    assert (moved[PERSON] == 0).all()
    assert moved[SHAPE] == pytest.approx((0.09, -0.06) @ np.linalg.pinv(slopes), abs=6e-3)
    assert marks(page) == pytest.approx(sampler.latent.shape.shapes.landmarks(latent(page)[SHAPE]), abs=1e-4)
    assert page.inner_text("#status").startswith("Face 0:")  # a drag is no click


def test_a_second_drag_goes_on_and_reset_and_a_new_face_bring_drawn_shapes_back(page, sampler):
    first, z = marks(page), latent(page)
    for _ in range(2):
        now = marks(page)
        drag(page, now[POINT], now[POINT] + (0.05, 0.04))
    assert marks(page)[POINT] == pytest.approx(first[POINT] + (0.1, 0.08), abs=6e-3)
    drawn(page, page.click, "text=Reset")
    assert (latent(page) == z).all() and marks(page) == pytest.approx(first, abs=1e-5)
    drag(page, first[POINT], first[POINT] + (0.05, 0.04))
    drawn(page, page.mouse.click, *place(page, marks(page)[POINT]))  # a click on a point is a click
    assert page.inner_text("#status").startswith("Face 1:")
    assert (latent(page) == sampler.latent.draw(1, 1)[0]).all()


def test_shapes_stay_inside_of_their_bounds(page, sampler):
    begin = marks(page)[POINT]
    drag(page, begin, begin + np.array((0.45, 0.45)))
    drag(page, marks(page)[POINT], marks(page)[POINT] - (0.02, 0.02))  # and come back from there at once
    z = latent(page)
    assert (z == sampler.latent.clip(z)).all() and np.abs(z[SHAPE]).max() > 0.9


def test_only_points_are_dragged_and_only_where_they_are_seen(page):
    def pressed(begin):
        z = latent(page)
        page.evaluate("scrollTo(0, 0)")
        page.mouse.move(*place(page, begin))
        page.mouse.down()
        page.mouse.move(*place(page, (0.4, 0.6)), steps=4)
        assert (latent(page) == z).all()
        drawn(page, page.mouse.up)  # which is a click

    pressed((0.02, 0.02))  # in a corner, where no point is
    drawn(page, page.uncheck, "#landmarks")
    pressed(marks(page)[POINT])
    assert page.inner_text("#status").startswith("Face 2:")


def test_a_finger_drags_a_point_and_scrolls_beside_it(page):
    touch = page.context.new_cdp_session(page)

    def swipe(begin, end):
        for kind, share in (("Start", begin), *(("Move", begin + (end - begin) * t / 8) for t in range(1, 9))):
            x, y = place(page, share)
            touch.send("Input.dispatchTouchEvent", {"type": f"touch{kind}", "touchPoints": [{"x": x, "y": y}]})
        touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})

    begin = marks(page)[POINT]
    swipe(begin, begin - (0.02, 0.2))
    waiting(page, f"Math.abs(lmedge.state.face.landmarks[{2 * POINT + 1}] - {begin[1] - 0.2}) < 0.01")
    assert page.evaluate("scrollY") == 0
    z = latent(page)
    swipe(np.array((0.5, 0.02)), np.array((0.5, -0.3)))
    page.wait_for_function("() => scrollY > 10")
    assert (latent(page) == z).all()


def test_the_sliders_of_the_axes_move_the_landmarks_along_them(page, sampler):
    names = page.eval_on_selector_all("input", "all => all.map(e => e.name || e.id)")
    axes = [name for name in names if name not in ("between", "Turn", "Mouth", "Light", "landmarks", "clean")]
    assert len(axes) == 4 and names[-6:-2] == axes
    for i, name in enumerate(axes):
        before, z = marks(page), latent(page)
        drawn(page, page.fill, f"input[name='{name}']", "1.5")
        moved = latent(page) - z
        assert np.flatnonzero(moved).tolist() == [4 + i] and abs(moved[4 + i]) == pytest.approx(1.5 / 4, abs=1e-6)
        axis = np.array(sampler.latent.shape.shapes.axes[i]).reshape(-1, 2)
        assert marks(page) - before == pytest.approx(moved[4 + i] * axis, abs=1e-4)
        drawn(page, page.fill, f"input[name='{name}']", "0")


def test_other_models_have_no_such_things(browser, bundle, vendored, tmp_path):
    page = browser.new_page(viewport=PHONE)
    with served(web_export(WebExportConfig(bundle=bundle, out=tmp_path / "site")).out) as url:
        load(page, url)
    assert page.is_hidden("#hint")
    begin = marks(page)[POINT]
    page.mouse.move(*place(page, begin))
    page.mouse.down()
    page.mouse.move(*place(page, begin + np.array((0.1, 0.1))), steps=4)
    drawn(page, page.mouse.up)
    assert page.inner_text("#status").startswith("Face 1:")
    assert latent(page) == pytest.approx(uniform(1, 8, 1)[0], abs=1e-6)
    page.close()
