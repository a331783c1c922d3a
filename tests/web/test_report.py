"""The report page in a real browser."""

import json
import shutil

from PIL import Image

from lmedge.evaluation.options import ReportConfig
from lmedge.evaluation.report import PAGE_FILE, report


def test_it_fits_a_phone_and_a_screen(trained, tmp_path, browser):
    run = shutil.copytree(trained, tmp_path / "run")
    (run / "report").mkdir()
    Image.new("RGB", (1600, 96)).save(run / "report" / "mirror.png")
    (run / "report" / PAGE_FILE).write_text(json.dumps({
        "lines": [["Self-consistency NME", "1.46%, L-Gen(z) against Face Mesh on G(z) and its mirror image"],
                  ["  a linear regression on the landmarks instead", "2.28% (held-out generated faces)"]],
        "notes": [f"No real faces: {'/a-long-folder' * 12} is not a folder."],
        "sections": [{"title": "Mirror paths", "style": "scroll",
                      "pictures": [{"file": "mirror.png", "caption": "A path"}]}],
    }))  # fmt: skip
    page = browser.new_page()
    page.goto(report(ReportConfig(run=run)).as_uri())
    for width in (360, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), width
        # A wide picture scrolls in its own box.
        assert page.evaluate("document.querySelector('.scroll').scrollWidth") > 1500
    label, text = (page.locator("td").nth(i).bounding_box() for i in (2, 3))
    assert text["x"] > label["x"] + 300 and text["y"] == label["y"]
    page.close()
