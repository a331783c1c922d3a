"""LiteRT.js, which the page runs on: fetched once from the npm registry, checked, and kept. It is larger than lmedge
itself, so it is not in the wheel; a page never loads it from elsewhere."""

import base64
import hashlib
import io
import os
import shutil
import tarfile
import urllib.error
import urllib.request
from pathlib import Path

from lmedge.errors import LmedgeError
from lmedge.progress import console
from lmedge.storage import cache_folder, making_folder

VERSION = "2.5.3"
# package -> SHA-512 of its tarball, as npm's lock files give it
PACKAGES = {
    "core": "PlGmbMOq9WitX7FO0jhbdJw9GthatsyuCQXjTt/wJZo0FLaw48q4tz8IwqgqCIkviYGr9OFDL1kCnN4nzWoyJQ==",
    "wasm-utils": "4fJiw6tBQnIs+0jH/OQ16nYOiSl8/+zZnn5h2ul8aTKHi05sVqZW580Tmk78pC2kT39A9OYBVdFawteZ/sI1kQ==",
}
# file of the page -> package, file of the package. Two builds: with relaxed SIMD and without; a browser loads one.
FILES = {
    "core.js": ("core", "dist/index.js"),
    "wasm-utils.js": ("wasm-utils", "dist/index.js"),
    **{f"litert_wasm_{kind}.{suffix}": ("core", f"wasm/litert_wasm_{kind}.{suffix}")
       for kind in ("internal", "compat_internal") for suffix in ("js", "wasm")},
}  # fmt: skip
TIMEOUT = 60  # seconds
LARGEST = 64 << 20  # bytes of a tarball


def litert_js(packages: Path | None = None) -> Path:
    """The folder with `FILES`: from `packages` (a `node_modules` that has @litertjs/core), or from the cache
    (`$XDG_CACHE_HOME/lmedge`), which the npm registry fills. Raises LmedgeError where neither is possible."""
    if packages is None:
        folder = cache_folder() / f"litertjs-{VERSION}"
        if not folder.is_dir():
            fetched = {name: _fetched(name) for name in PACKAGES}
            with making_folder(folder, (), False) as beside:
                for file, (package, path) in FILES.items():
                    (beside / file).write_bytes(_member(fetched[package], f"package/{path}"))
        return folder
    folder = cache_folder() / f"litertjs-of-{hashlib.sha256(str(packages.resolve()).encode()).hexdigest()[:16]}"
    with making_folder(folder, tuple(FILES), True) as beside:
        for file, (package, path) in FILES.items():
            source = packages / "@litertjs" / package / path
            if not source.is_file():
                raise LmedgeError(f"--litert-js {packages} has no {source}; npm install @litertjs/core there.")
            shutil.copyfile(source, beside / file)
    return folder


def _fetched(package: str) -> bytes:
    registry = os.environ.get("NPM_CONFIG_REGISTRY", "https://registry.npmjs.org").rstrip("/")
    url = f"{registry}/@litertjs/{package}/-/{package}-{VERSION}.tgz"
    console.print(f"fetching {url}")
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT) as answer:
            data = bytes(answer.read(LARGEST))
    except (urllib.error.URLError, OSError) as error:
        raise LmedgeError(
            f"LiteRT.js cannot be fetched from {url} ({getattr(error, 'reason', error)}); npm install @litertjs/core "
            "where there is a network, and name its node_modules with --litert-js."
        ) from None
    if base64.b64encode(hashlib.sha512(data).digest()).decode() != PACKAGES[package]:
        raise LmedgeError(f"{url} is not the LiteRT.js {VERSION} that this lmedge was tested with; nothing was kept.")
    return data


def _member(tarball: bytes, name: str) -> bytes:
    with tarfile.open(fileobj=io.BytesIO(tarball)) as archive:
        file = archive.extractfile(name)
        assert file is not None  # the hash says what is inside
        return file.read()
