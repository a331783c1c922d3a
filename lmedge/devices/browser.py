"""A browser: LiteRT.js in headless Chromium."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmedge.devices.device import Outcome, Unavailable
from lmedge.errors import LmedgeError
from lmedge.landmarks import in_pixels
from lmedge.runtime.faces import Faces
from lmedge.web.export import PAGE
from lmedge.web.serve import served
from lmedge.web.vendor import VERSION, litert_js

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
HTML = """<!doctype html><title>check</title><link rel="icon" href="data:,"><body><script type="importmap">
{"imports": {"@litertjs/core": "./litert/core.js", "@litertjs/wasm-utils": "./litert/wasm-utils.js"}}
</script><script type="module">import {FaceModel} from './model.js'; window.FaceModel = FaceModel;</script>"""
RENDER = """async ([url, latents]) => {
  try {
    const model = await FaceModel.load(url);
    const faces = [];
    for (const z of latents) {
      const {image, landmarks, confidence, pointConfidence} = await model.render(new Float32Array(z));
      const point_confidence = pointConfidence && [...pointConfidence];
      faces.push({image: [...image], landmarks: [...landmarks], confidence, point_confidence});
    }
    return {faces, width: model.width, height: model.height};
  } catch (error) {
    return {refused: error.message};
  }
}"""


def chromium() -> str:
    """Path of the browser. Raises Unavailable."""
    path = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if path is None:
        raise Unavailable("chromium is not installed")
    return path


class Browser:
    """The code of the page that `lmedge web-export` writes."""

    name = f"LiteRT.js {VERSION}, Chromium"

    def outcomes(self, models: dict[str, Path], latents: NDArray[np.float32]) -> dict[str, Outcome]:
        """See Device."""
        path = chromium()
        try:
            from playwright.sync_api import sync_playwright

            vendored = litert_js()
        except ImportError:
            raise Unavailable("playwright is not installed") from None
        except LmedgeError as error:
            raise Unavailable(str(error)) from None
        with TemporaryDirectory() as folder:
            site = Path(folder)
            shutil.copytree(PAGE, site, dirs_exist_ok=True)
            (site / "litert").mkdir()
            for name, data in vendored.items():
                (site / "litert" / name).write_bytes(data)
            (site / "index.html").write_text(HTML)
            for name, model in models.items():
                shutil.copyfile(model, site / f"{name}.tflite")
            with served(site) as address:

                def answers() -> dict[str, Any]:
                    with sync_playwright() as driver:
                        started = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
                        page = started.new_page()
                        page.goto(address)
                        page.wait_for_function("() => window.FaceModel")
                        return {n: page.evaluate(RENDER, [f"{n}.tflite", latents.tolist()]) for n in models}

                # Playwright wants a thread without an event loop, which the caller's may have.
                with ThreadPoolExecutor(1) as thread:
                    said = thread.submit(answers).result()
        return {name: _outcome(answer, latents) for name, answer in said.items()}


def _outcome(answer: dict[str, Any], latents: NDArray[np.float32]) -> Outcome:
    if "refused" in answer:
        return Outcome(None, answer["refused"])
    faces, width, height = answer["faces"], answer["width"], answer["height"]
    images = np.array([face["image"] for face in faces], np.uint8).reshape(-1, height, width, 3)
    marks = np.array([face["landmarks"] for face in faces], np.float32).reshape(len(faces), -1, 2)
    sure, of_points = _known(faces, "confidence"), _known(faces, "point_confidence")
    return Outcome(Faces(images, in_pixels(marks, width, height), latents, sure, point_confidence=of_points))


def _known(faces: list[dict[str, Any]], name: str) -> NDArray[np.float32] | None:
    values = [face[name] for face in faces]
    return None if None in values else np.array(values, np.float32)
