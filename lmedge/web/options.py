"""Options of the page for browsers."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from lmedge.bounds import whole
from lmedge.options import BundlePath, ModelName, Stage
from lmedge.variants import VariantName


@dataclass(frozen=True, kw_only=True)
class WebExportConfig(Stage):
    """Write a folder that makes faces in the browser: static files for any web host, nothing is computed there.

    The page draws with LiteRT.js (WebAssembly), which is put into the folder: once loaded it needs no network, and over
    https or from localhost it opens again without one. Sliders turn the head, open the mouth, change the light, and
    the attributes and landmarks that the model can be asked for.

    Example: lmedge web-export bundle --out site
    """

    bundle: Positional[BundlePath] = None
    """Bundle folder, a .tflite file of one, or a model that comes with lmedge by its name. Default: that of --model."""
    model: ModelName = None
    """Model that comes with lmedge, where none is named. Default: reference."""
    out: Path
    """Folder for the page."""
    variant: VariantName | None = None
    """Model of the bundle. Default: int8-qat, int8, dynamic, fp32 or fp16, the first that is there."""
    litert_js: Path | None = None
    """A node_modules with @litertjs/core 2.5.3. Default: npm fetches it once; it is kept, and checked on every use."""
    overwrite: bool = False
    """Replace a page that is there."""


@dataclass(frozen=True, kw_only=True)
class ServeConfig(Stage):
    """Show a bundle in the browser, on this machine or, with --host 0.0.0.0, on a phone in the same network.

    Example: lmedge serve bundle --port 8000
    """

    bundle: Positional[Annotated[Path | None, arg(metavar="[BUNDLE|SITE]")]] = None
    """Bundle folder, a .tflite file of one, a folder made by `lmedge web-export`, or a model that comes with lmedge by
    its name. Default: that of --model."""
    model: ModelName = None
    """Model that comes with lmedge, where none is named. Default: reference."""
    port: Annotated[int, whole(0, 65_535)] = 8000
    """Port; 0 takes a free one."""
    host: str = "127.0.0.1"
    """Address to listen on: 127.0.0.1 for this machine only, 0.0.0.0 for every network it is in."""
    variant: VariantName | None = None
    """Model of the bundle. Default: int8-qat, int8, dynamic, fp32 or fp16, the first that is there."""
    litert_js: Path | None = None
    """A node_modules with @litertjs/core 2.5.3. Default: npm fetches it once; it is kept, and checked on every use."""
