"""A real browser, and the page of the model that comes with lmedge in it."""

import pytest

from lmedge.devices.browser import chromium
from lmedge.devices.device import Unavailable
from lmedge.errors import LmedgeError
from lmedge.web.export import web_export
from lmedge.web.options import WebExportConfig
from lmedge.web.serve import served
from lmedge.web.vendor import litert_js


@pytest.fixture(scope="session")
def vendored():
    """The folder of LiteRT.js."""
    try:
        return litert_js()
    except LmedgeError as error:
        pytest.skip(f"LiteRT.js: {error}")


@pytest.fixture(scope="session")
def site(vendored, tmp_path_factory):
    """The page of the model that comes with lmedge. Tests must not change it."""
    return web_export(WebExportConfig(out=tmp_path_factory.mktemp("web") / "site")).out


@pytest.fixture(scope="session")
def browser():
    """Headless Chromium."""
    try:
        path = chromium()
    except Unavailable as reason:
        pytest.skip(str(reason))
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture(scope="session")
def address(site):
    with served(site) as url:
        yield url
