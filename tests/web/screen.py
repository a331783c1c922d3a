"""What a browser shows of the page."""

import base64
import io
import math

import numpy as np
from PIL import Image

from lmedge.landmarks import in_pixels

PHONE = {"width": 360, "height": 640}


def load(page, address):
    """Opens a page at the face of seed 0, where the address names none."""
    page.goto("about:blank")  # an address that differs in its # alone is not loaded
    page.goto(address if "#" in address else f"{address}#0")
    waiting(page, "window.lmedge?.state.started")


def waiting(page, condition):
    page.wait_for_function(f"() => {condition}", timeout=60_000)


def drawn(page, act, *arguments):
    """Does what has a face drawn, and waits for it."""
    page.evaluate("() => { lmedge.before = lmedge.state.face; }")
    act(*arguments)
    waiting(page, "lmedge.state.face !== lmedge.before")


def canvas(page):
    """What is on the canvas: `[512, 512, 3]`."""
    url = page.evaluate("document.getElementById('canvas').toDataURL()")
    with Image.open(io.BytesIO(base64.b64decode(url.split(",")[1]))) as picture:
        return np.asarray(picture.convert("RGB")).astype(int)


def green(page):
    """Pixels of landmarks."""
    red, green, blue = np.moveaxis(canvas(page), -1, 0)
    return int(((red < 40) & (green > 180) & (blue < 130)).sum())


def shown(page):
    """The latent, image and landmarks (pixels) on the screen."""
    found = page.evaluate(
        "({z: [...lmedge.state.z], image: [...lmedge.state.face.image], marks: [...lmedge.state.face.landmarks]})"
    )
    marks = np.array(found["marks"], np.float32).reshape(1, -1, 2)
    size = math.isqrt(len(found["image"]) // 3)
    image = np.array(found["image"], np.uint8).reshape(size, size, 3)
    return np.array(found["z"], np.float32), image, in_pixels(marks, size, size)
