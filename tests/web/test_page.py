import shutil

import numpy as np
import pytest
from PIL import Image

from lmedge.datasets.steering import posture
from lmedge.landmarks import in_pixels, read_pts
from lmedge.runtime import FaceSampler, between, prior
from lmedge.web.serve import served

PHONE = {"width": 360, "height": 640}
GREEN = """() => {
  const {width, height} = document.getElementById('canvas');
  const data = document.getElementById('canvas').getContext('2d').getImageData(0, 0, width, height).data;
  let count = 0;
  for (let i = 0; i < data.length; i += 4) count += data[i] < 40 && data[i + 1] > 180 && data[i + 2] < 130;
  return count;
}"""


@pytest.fixture(scope="module")
def sampler():
    return FaceSampler(variant="int8-qat", threads=1)


@pytest.fixture
def page(browser, address):
    context = browser.new_context(viewport=PHONE, accept_downloads=True)
    opened = context.new_page()
    opened.requests, opened.errors = [], []
    opened.on("request", lambda request: opened.requests.append(request.url))
    opened.on("pageerror", lambda error: opened.errors.append(str(error)))
    opened.goto(address)
    opened.wait_for_selector("#controls:not([hidden])", timeout=60_000)
    waiting(opened, "lmedge.state.face")
    yield opened
    assert opened.errors == []
    context.close()


def waiting(page, condition):
    page.wait_for_function(f"() => {condition}", timeout=20_000)


def shown(page):
    """The latent, image and landmarks (pixels) on the screen."""
    found = page.evaluate(
        "({z: [...lmedge.state.z], image: [...lmedge.state.face.image], marks: [...lmedge.state.face.landmarks]})"
    )
    marks = np.array(found["marks"], np.float32).reshape(1, -1, 2)
    image = np.array(found["image"], np.uint8).reshape(64, 64, 3)
    return np.array(found["z"], np.float32), image, in_pixels(marks, 64, 64)


def same(page, sampler, z):
    """Is on the screen what the Python runtime draws of this latent?"""
    seen, image, marks = shown(page)
    assert seen == pytest.approx(z, abs=1e-6)
    faces = sampler.render(z[None])
    assert np.abs(image.astype(int) - faces.images[0]).max() <= 1
    assert marks == pytest.approx(faces.landmarks, abs=0.05)


def set_slider(page, name, value):
    page.eval_on_selector(
        name, "(e, v) => { e.value = v; e.dispatchEvent(new Event('input', {bubbles: true})); }", value
    )
    page.wait_for_timeout(300)


def test_the_faces_are_those_of_the_python_runtime(page, sampler):
    same(page, sampler, prior(1, 64, 0)[0])
    page.click("#face")
    waiting(page, "lmedge.state.seed === 1 && document.getElementById('status').textContent.startsWith('Face 1:')")
    same(page, sampler, prior(1, 64, 1)[0])
    assert " ms a face, confidence 0." in page.inner_text("#status")


def test_the_slider_goes_from_this_face_to_the_next(page, sampler):
    set_slider(page, "#between", 0.5)
    same(page, sampler, between(prior(1, 64, 0)[0], prior(1, 64, 1)[0], 3)[1])


def test_the_sliders_turn_the_head_open_the_mouth_and_change_the_light(page, sampler):
    def seen():
        _, image, marks = shown(page)
        yaw, mouth = posture(marks, sampler.scheme)[0]
        return np.array([yaw, mouth, image.mean()])

    before = seen()
    for number, name in enumerate(("Turn", "Mouth", "Light")):
        slider = f"input[name={name}]"
        low, high = (float(page.get_attribute(slider, end)) for end in ("min", "max"))
        set_slider(page, slider, high * 0.6)
        more = seen()
        set_slider(page, slider, low * 0.6)
        less = seen()
        assert more[number] - less[number] > 0.4 * 0.6 * (high - low)
        set_slider(page, slider, 0)
        assert seen() == pytest.approx(before, abs=1e-3)


def test_landmarks_are_switched_on_and_off(page):
    assert page.evaluate(GREEN) > 300
    page.uncheck("#landmarks")
    page.wait_for_timeout(300)
    assert page.evaluate(GREEN) == 0


def test_it_needs_no_network_once_loaded_and_asks_nobody_else(page, address):
    assert all(url.startswith((address, "data:", "blob:")) for url in page.requests)
    page.context.set_offline(True)
    page.click("#new")
    waiting(page, "document.getElementById('status').textContent.startsWith('Face 1:')")


def test_it_is_used_by_keyboard(page):
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    waiting(page, "document.getElementById('status').textContent.startsWith('Face 1:')")
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")
    waiting(page, "document.getElementById('between').value === '0.01'")
    page.focus("#landmarks")
    page.keyboard.press("Space")
    page.wait_for_timeout(300)
    assert page.evaluate(GREEN) == 0


def test_it_fits_a_narrow_screen(page):
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    boxes = page.eval_on_selector_all(
        "button, input", "all => all.map(e => e.getBoundingClientRect()).map(b => [b.left, b.right, b.width])"
    )
    assert boxes and all(left >= 0 and right <= PHONE["width"] and width > 20 for left, right, width in boxes)


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


def test_a_latent_of_another_length_is_refused(page):
    said = page.evaluate(
        "async () => { const m = await lmedge.FaceModel.load('faces-int8-qat.tflite');"
        " try { await m.render(new Float32Array(3)); } catch (error) { return error.message; } }"
    )
    assert said == "A latent of 3 numbers is not one of 64, as this model takes."


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


def test_a_browser_without_simd_is_told(browser, address):
    said = sentence(browser, address, "WebAssembly.validate = () => false")
    assert said.startswith("This browser has no WebAssembly SIMD; take a newer one")


def test_a_damaged_model_is_told(browser, site, tmp_path):
    broken = tmp_path / "site"
    shutil.copytree(site, broken)
    model = broken / "faces-int8-qat.tflite"
    model.write_bytes(model.read_bytes()[:5000])
    with served(broken) as url:
        said = sentence(browser, url)
        assert (
            said
            == "faces-int8-qat.tflite cannot be run in a browser; take int8-qat, int8 or fp32, or copy the file again."
        )
        model.unlink()
        assert sentence(browser, url) == "faces-int8-qat.tflite cannot be loaded (404); copy the whole folder."
