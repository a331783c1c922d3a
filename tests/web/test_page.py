import json
import os
import shutil

import numpy as np
import pytest
from PIL import Image

from lmedge.block import Block
from lmedge.clean import Clean
from lmedge.landmarks import read_pts
from lmedge.latent import LatentSpec
from lmedge.mixture import Mixture
from lmedge.pose import posture
from lmedge.runtime import FaceSampler, between
from lmedge.runtime.directions import controls
from lmedge.shipped import REFERENCE
from lmedge.web.export import web_export
from lmedge.web.options import WebExportConfig
from lmedge.web.serve import served
from tests.test_block import HOSTILE, without
from tests.web.screen import PHONE, canvas, drawn, green, load, shown, waiting

LAPTOP = {"width": 1280, "height": 800}
FIRST = """() => {
  for (const input of document.querySelectorAll('input')) {
    input.value = input.defaultValue;
    input.checked = input.defaultChecked;
  }
  history.replaceState(null, '', '#0');
  onhashchange();
}"""
CHECK = "text => { try { lmedge.check(JSON.parse(text)); } catch (error) { return error.message; } }"
KEPT = "async () => [(await navigator.serviceWorker.getRegistrations()).length, (await caches.keys()).length]"


@pytest.fixture(scope="module")
def sampler():
    return FaceSampler(variant="int8-qat", threads=1)


@pytest.fixture(scope="module")
def opened(browser, address):
    """The page, opened once."""
    context = browser.new_context(viewport=PHONE, accept_downloads=True)
    page = context.new_page()
    page.requests, page.errors = [], []
    page.on("request", lambda request: page.requests.append(request.url))
    page.on("pageerror", lambda error: page.errors.append(str(error)))
    load(page, address)
    yield page
    context.close()


@pytest.fixture
def page(opened):
    """The page with face 0 and every control where it is at first."""
    drawn(opened, opened.evaluate, FIRST)
    yield opened
    opened.set_viewport_size(PHONE)
    errors, opened.errors[:] = opened.errors[:], []
    assert errors == []


def same(page, sampler, z):
    """Is on the screen what the Python runtime draws of this latent?"""
    seen, image, marks = shown(page)
    assert seen == pytest.approx(z, abs=1e-6)
    faces = sampler.render(z[None])
    assert np.abs(image.astype(int) - faces.images[0]).max() <= 1
    assert marks == pytest.approx(faces.landmarks, abs=0.05)


def shown_first(sampler, seed):
    """The latent of the first clean face of a seed."""
    faces = sampler.sample(64, seed)
    return faces.latents[np.flatnonzero(faces.confidence >= sampler.clean.min_confidence)[0]]


def test_the_faces_are_those_of_the_python_runtime(page, sampler):
    same(page, sampler, shown_first(sampler, 0))
    for seed, button in enumerate(("#face", "#new"), 1):
        drawn(page, page.click, button)
        same(page, sampler, shown_first(sampler, seed))
        said = page.inner_text("#status")
        assert said.startswith(f"Face {seed}: ") and " ms a face, confidence 0." in said
        assert page.url.endswith(f"#{seed}")
    for text, seed in (("#7", 7), ("#-1", 5), ("#" + "9" * 400, 5)):
        drawn(page, page.evaluate, "text => { location.hash = text; }", text)
        same(page, sampler, shown_first(sampler, seed))


def test_latents_of_every_kind_of_block_are_those_of_the_python_runtime(page):
    mixture = Mixture(
        (0.2, 0.5, 0.3),
        tuple((0.1 * i, -0.2, 0.3, 0.5 - i, 0.4, -0.9 + i) for i in range(3)),
        tuple(tuple(0.1 * i - 0.04 * j + 0.3 for j in range(21)) for i in range(3)),
    )
    spec = LatentSpec(
        (Block("a", 5), Block("b", 40, "normal", -1.5, 2.0, searched=False), Block("c", 3, "uniform", 0.1, 9),
         Block("d", 4, "mixture", -1.5, 0.8, mixture=mixture), Block("e", 2, "joint", attributes=("Bald", "Wet")),
         Block("f", 2))
    )  # fmt: skip
    for seed, index in ((0, 0), (1, 5), (987654321987, 1000), *((7, i) for i in range(200))):
        form = [spec.to_json(), seed, index]
        found = page.evaluate("([spec, seed, index]) => [...lmedge.drawLatent(spec, seed, index)]", form)
        assert (np.array(found, np.float32) == spec.draw(1, seed, index)[0]).all()


def test_truncated_latents_are_those_of_the_python_runtime(page):
    mixture = Mixture((1.0,), ((0.1,) * 4,), (tuple(0.3 - 0.02 * i for i in range(10)),))
    spec = LatentSpec((Block("a", 5), Block("b", 30, "normal", 0.2, 2.0), Block("c", 4, "mixture", -1.5, 0.8,
                       mixture=mixture), Block("d", 9, "uniform", 0.1, 9.7), Block("e", 3)))  # fmt: skip
    truncation = {"a": 0.7, "b": 0.9, "c": 0.3, "d": 0.123}
    for z in spec.draw(100, 3):
        form = [spec.to_json(), z.tolist(), truncation]
        found = page.evaluate("([spec, z, shares]) => [...lmedge.truncated(spec, new Float32Array(z), shares)]", form)
        assert (np.array(found, np.float32) == spec.truncated(z, truncation)).all()


def test_what_does_not_say_which_faces_are_clean_is_refused_in_a_sentence(page):
    check = "clean => { try { lmedge.checkClean(clean); } catch (error) { return error.message; } }"
    assert page.evaluate(check, {"truncation": {"z": 0.5}, "min_confidence": 0}) is None
    for clean in (None, 3, {}, {"truncation": {}}, {"truncation": {"z": 2}, "min_confidence": 0},
                  {"truncation": {"z": "0.5"}, "min_confidence": 0}, {"truncation": None, "min_confidence": 0},
                  {"truncation": {}, "min_confidence": -1}):  # fmt: skip
        said = page.evaluate(check, clean)
        assert said == "web.json does not say which faces are shown first; make the page again.", clean


def test_clean_faces_are_shown_first_and_all_of_them_on_request(browser, vendored, tmp_path):
    bundle = shutil.copytree(REFERENCE, tmp_path / "bundle", ignore=shutil.ignore_patterns("run"))
    about = json.loads((bundle / "bundle.json").read_text())
    clean = Clean(LatentSpec.from_json(about["latent"], "").by_block(0.6), 0.6)
    (bundle / "bundle.json").write_text(json.dumps(about | {"clean": clean.to_json()}))
    cleaner = FaceSampler(bundle, "int8-qat", threads=1)
    seed = next(seed for seed in range(99) if (shown_first(cleaner, seed) != cleaner.latents(1, seed)[0]).any())
    with served(web_export(WebExportConfig(bundle=bundle, out=tmp_path / "site")).out) as url:
        context = browser.new_context(viewport=PHONE)
        page = context.new_page()
        load(page, f"{url}#{seed}")
        assert page.is_checked("#clean")
        same(page, cleaner, shown_first(cleaner, seed))
        drawn(page, page.uncheck, "#clean")
        same(page, cleaner, cleaner.latent.draw(1, seed)[0])
        context.close()


def test_the_choice_of_faces_is_there_where_there_is_one(page, sampler):
    assert page.is_visible("#choice") != sampler.clean.is_all


def test_latents_that_cannot_be_drawn_are_refused_in_a_sentence(page):
    def refusal(text):
        return page.evaluate(CHECK, text.replace("NaN", "1e999").replace("Infinity", "1e999"))

    good = LatentSpec.uniform(4).to_json()
    assert refusal(json.dumps(good)) is None
    block = good["blocks"][0]
    changed = [{**block, **change} for change in ({"size": 0}, {"size": 2.5}, {"low": 1}, {"high": "2"}, {"high": 1e9})]
    hostile = [{"size": 2, "blocks": [without(name, value)]} for name, value in HOSTILE]
    others = [None, 3, {}, {**good, "size": 5}, {**good, "blocks": []}, *({**good, "blocks": [one]} for one in changed)]
    for form in hostile + others:
        assert refusal(json.dumps(form)) == "web.json has latents that cannot be drawn; make the page again.", form
    for other in ("cauchy", "constructor"):
        said = refusal(json.dumps({**good, "blocks": [{**block, "distribution": other}]}))
        assert said == f"Latents are drawn from {other}, which this page cannot; make it again."


def test_every_slider_changes_the_face_and_reset_brings_it_back(page, sampler):
    first = canvas(page)
    sliders = page.locator("input[type=range]").all()
    assert len(sliders) == 1 + len(controls(sampler))
    for slider in sliders:
        before = canvas(page)
        drawn(page, slider.press, "End")
        assert np.abs(canvas(page) - before).mean() > 2
        drawn(page, page.click, "text=Reset")  # at the end of one, another may have nowhere to go
    drawn(page, sliders[1].press, "End")
    drawn(page, page.uncheck, "#landmarks")
    drawn(page, page.click, "text=Reset")
    assert (canvas(page) == first).all()
    same(page, sampler, shown_first(sampler, 0))
    assert [float(slider.input_value()) for slider in sliders] == pytest.approx([0] * len(sliders), abs=1e-9)
    assert page.is_checked("#landmarks")


def test_the_slider_goes_from_this_face_to_the_next(page, sampler):
    drawn(page, page.fill, "#between", "0.5")
    same(page, sampler, between(shown_first(sampler, 0), shown_first(sampler, 1), 3)[1])


def test_the_sliders_turn_the_head_open_the_mouth_and_change_the_light(page, sampler):
    def seen():
        _, image, marks = shown(page)
        yaw, mouth = posture(marks, sampler.scheme)[0]
        return np.array([yaw, mouth, image.mean()])

    before = seen()
    for number, name in enumerate(("Turn", "Mouth", "Light")):
        slider = f"input[name={name}]"
        low, high = (float(page.get_attribute(slider, end)) for end in ("min", "max"))
        drawn(page, page.fill, slider, str(high * 0.6))
        more = seen()
        drawn(page, page.fill, slider, str(low * 0.6))
        less = seen()
        assert more[number] - less[number] > 0.4 * 0.6 * (high - low)
        drawn(page, page.fill, slider, "0")
        assert seen() == pytest.approx(before, abs=1e-3)


def test_landmarks_are_switched_off_and_on(page):
    assert green(page) > 300
    drawn(page, page.uncheck, "#landmarks")
    assert green(page) == 0
    drawn(page, page.check, "#landmarks")
    assert green(page) > 300


def test_the_face_is_saved_with_its_points(page, tmp_path):
    for button, name in (("#save-png", "face-0.png"), ("#save-points", "face-0.pts")):
        with page.expect_download() as waited:
            page.click(button)
        assert waited.value.suggested_filename == name
        waited.value.save_as(tmp_path / name)
    _, image, marks = shown(page)
    with Image.open(tmp_path / "face-0.png") as picture:
        assert (np.asarray(picture.convert("RGB")) == image).all()
    assert read_pts(tmp_path / "face-0.pts") == pytest.approx(marks[0], abs=2e-3)


def test_these_tests_press_every_control(page, sampler):
    buttons = page.eval_on_selector_all("button", "all => all.map(e => e.ariaLabel ?? e.textContent)")
    assert buttons == ["New face", "New face", "Reset", "Save PNG", "Save points"]
    inputs = page.eval_on_selector_all("input, select, textarea, a", "all => all.map(e => e.id || e.name)")
    assert inputs == ["between", *(control.name for control in controls(sampler)), "landmarks", "clean"]


def test_it_asks_nobody_else(page, address):
    assert len(page.requests) > 8 and all(url.startswith((address, "data:", "blob:")) for url in page.requests)


def test_it_is_used_by_keyboard(page, address):
    page.reload()
    load(page, address)
    page.keyboard.press("Tab")
    drawn(page, page.keyboard.press, "Enter")
    assert page.inner_text("#status").startswith("Face 1:")
    page.keyboard.press("Tab")
    drawn(page, page.keyboard.press, "ArrowRight")
    assert page.input_value("#between") == "0.01"
    page.focus("#landmarks")
    drawn(page, page.keyboard.press, "Space")
    assert green(page) == 0


@pytest.mark.parametrize("screen", [PHONE, LAPTOP], ids=["phone", "laptop"])
def test_it_fits_the_screen(page, screen):
    page.set_viewport_size(screen)
    wide, high = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.scrollHeight]")
    assert wide <= screen["width"]
    boxes = page.eval_on_selector_all(
        "button, input",
        "all => all.filter(e => e.offsetParent).map(e => e.getBoundingClientRect())"
        ".map(b => [b.left, b.right, b.width])",
    )
    assert boxes and all(left >= 0 and right <= screen["width"] and width > 20 for left, right, width in boxes)
    if screen is LAPTOP:  # nothing lies below the fold
        assert high <= screen["height"]
    else:  # the face is seen from the last slider too
        page.evaluate("document.querySelector('#sliders label:last-child').scrollIntoView({block: 'end'})")
        face, slider = (page.evaluate(f"document.querySelector('{at}').getBoundingClientRect().toJSON()")
                        for at in ("#canvas", "#sliders label:last-child"))  # fmt: skip
        assert face["top"] >= 0 and face["bottom"] <= slider["top"] and slider["bottom"] <= high
        page.evaluate("scrollTo(0, 0)")


def test_a_latent_of_another_length_is_refused(page, sampler):
    said = page.evaluate(
        "async () => { const m = await lmedge.FaceModel.load('faces-int8-qat.tflite');"
        " try { await m.render(new Float32Array(3)); } catch (error) { return error.message; } }"
    )
    assert said == f"A latent of 3 numbers is not one of {sampler.latent.size}, as this model takes."


def test_it_opens_again_without_a_network_and_a_page_made_anew_is_shown(browser, site, sampler, tmp_path):
    anew = web_export(WebExportConfig(out=tmp_path / "anew", variant="fp32")).out
    other = tmp_path / "other"
    other.mkdir()
    (other / "index.html").write_text("<p>of somebody else</p>")
    page = browser.new_page()
    with served(site) as url:
        load(page, url)
        waiting(page, "lmedge.state.kept")
    port = int(url.split(":")[2].strip("/"))
    load(page, url)  # the server has gone
    same(page, sampler, shown_first(sampler, 0))
    with served(anew, port):
        load(page, url)
        assert "(fp32)" in page.inner_text("#about")
        waiting(page, "lmedge.state.kept")
    load(page, url)
    assert "(fp32)" in page.inner_text("#about")
    drawn(page, page.click, "#new")
    assert page.evaluate(KEPT) == [1, 1]
    with served(other, port):
        page.goto(url)
        assert page.inner_text("p") == "of somebody else"
        page.wait_for_function(f"async () => String(await ({KEPT})()) === '0,0'")
    page.close()


def sentence(browser, url, script=""):
    """What a page says that cannot start."""
    page = browser.new_page()
    page.add_init_script(script)
    page.goto(url)
    page.wait_for_selector("#status.error", timeout=60_000)
    text = page.inner_text("#status")
    assert page.is_hidden("#controls")
    page.close()
    return text


def test_what_it_cannot_run_on_is_told(browser, address, site):
    said = sentence(browser, address, "WebAssembly.validate = () => false")
    assert said.startswith("This browser has no WebAssembly SIMD; take a newer one")
    said = sentence(browser, (site / "index.html").as_uri())
    assert said.startswith("Browsers do not run this page from a file; show the folder with “lmedge serve FOLDER”")


def test_a_damaged_page_is_told(browser, site, tmp_path):
    broken = tmp_path / "site"
    shutil.copytree(site, broken, copy_function=os.link)
    model = broken / "faces-int8-qat.tflite"
    start = model.read_bytes()[:5000]
    model.unlink()
    with served(broken) as url:
        assert sentence(browser, url) == "faces-int8-qat.tflite cannot be loaded (404); copy the whole folder."
        model.write_bytes(start)
        said = "faces-int8-qat.tflite cannot be run in a browser; take int8-qat, int8 or fp32, or copy the file again."
        assert sentence(browser, url) == said
        (broken / "web.json").unlink()
        assert sentence(browser, url) == "web.json cannot be loaded (404); copy the whole folder."
        (broken / "litert" / "core.js").unlink()
        assert sentence(browser, url).startswith("A script of the page cannot be loaded; copy the whole folder")
