"""LiteRT.js, which the page runs on: fetched once by npm, checked on every use, and kept. It is larger than lmedge
itself, so it is not in the wheel; a page never loads it from elsewhere."""

import base64
import hashlib
import json
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

from lmedge.errors import LmedgeError
from lmedge.progress import console
from lmedge.storage import cache_folder, write_bytes

VERSION = "2.5.3"
# package -> SHA-512 of its tarball, as npm's lock files give it
PACKAGES = {
    "core": "PlGmbMOq9WitX7FO0jhbdJw9GthatsyuCQXjTt/wJZo0FLaw48q4tz8IwqgqCIkviYGr9OFDL1kCnN4nzWoyJQ==",
    "wasm-utils": "4fJiw6tBQnIs+0jH/OQ16nYOiSl8/+zZnn5h2ul8aTKHi05sVqZW580Tmk78pC2kT39A9OYBVdFawteZ/sI1kQ==",
}
# file of the page -> package, file of the package, its SHA-512. Two builds, of which a browser loads one: with relaxed
# SIMD and without.
FILES = {
    "core.js": (
        "core", "dist/index.js",
        "WyevdHDt3wZauUKrGQed/ea70cEFa+sFfazl2IifPB0hMKs6PW6NuiYRJGawcsVBYPW0m8IirkbgJ/IoEubgjg==",
    ),
    "wasm-utils.js": (
        "wasm-utils", "dist/index.js",
        "JLByH7iijq5fINzZCeEtpKS37IIwN6HC59+xrJ+3SvOM4lnK3METwP7OyZdhuwpW1xoCtj4QDYGDugU1hsFVHg==",
    ),
    "litert_wasm_internal.js": (
        "core", "wasm/litert_wasm_internal.js",
        "JZ9MvSWnB+ac8pnfAAHqbXmABeAQKLKGBr4rVjuxSCS086XfQwwMYeGOqFpkOra00aeku00Pvy7tidOWKzfiVQ==",
    ),
    "litert_wasm_internal.wasm": (
        "core", "wasm/litert_wasm_internal.wasm",
        "lBRMVBl1mFmdM60cKswGj6dbJJmSy8pwJE7QOHJ1dLDLINbj2vansEi01FGBhyGsfiz4RSlF1FCF3ZzE9b/76Q==",
    ),
    "litert_wasm_compat_internal.js": (
        "core", "wasm/litert_wasm_compat_internal.js",
        "irVXOG35yzX+ryulgJ1DzF613I41WPhTnlieQ3RYFziHxOkJ8IZ/HhMtYPUyGrLM5O5kpoD6YEJyEXJkoGAeug==",
    ),
    "litert_wasm_compat_internal.wasm": (
        "core", "wasm/litert_wasm_compat_internal.wasm",
        "5a+qwg0hp8q+ziVjA3FqISZf7BDgBqibS9eeprffsTtsVD92M4BmHCx78ect4PHshl1P0ntbKOk3rwxZnaVnMQ==",
    ),
}  # fmt: skip
# npm by itself waits 70 seconds where there is no network.
NPM_OPTIONS = ("--json", "--prefer-offline", "--fetch-retries=1", "--fetch-retry-mintimeout=1000")
TIMEOUT = 600  # seconds
INSTALL = f"npm install @litertjs/core@{VERSION} @litertjs/wasm-utils@{VERSION}"


def litert_js(packages: Path | None = None) -> dict[str, bytes]:
    """The files of the page by name, each the one that lmedge was tested with: from `packages` (a `node_modules` that
    has @litertjs/core), or from the cache (`$XDG_CACHE_HOME/lmedge`), which npm fills, again where a file of it is
    damaged. Raises LmedgeError where neither is possible."""
    if packages is not None:
        return {name: _of_packages(packages, name) for name in FILES}
    folder = cache_folder() / f"litertjs-{VERSION}"
    files = {name: _read(folder / name) for name in FILES}
    wrong = [name for name, data in files.items() if not _tested(name, data)]
    if wrong:
        console.print(f"{folder / wrong[0]} is damaged; fetching it again with npm" if folder.is_dir() else
                      f"fetching LiteRT.js {VERSION} with npm")  # fmt: skip
        files = _fetched()
        folder.mkdir(parents=True, exist_ok=True)
        for name in wrong:
            write_bytes(folder / name, files[name])
    return files


def _of_packages(packages: Path, name: str) -> bytes:
    package, path, _ = FILES[name]
    file = packages / "@litertjs" / package / path
    if not file.is_file():
        raise LmedgeError(f"--litert-js {packages} has no {file}; {INSTALL} there.")
    data = _read(file)
    if not _tested(name, data):
        raise LmedgeError(f"--litert-js {packages}: {file} is damaged or not of LiteRT.js {VERSION}, which this lmedge "
                          f"was tested with; {INSTALL} there.")  # fmt: skip
    return data


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:
        return b""  # what cannot be read is as good as damaged


def _tested(name: str, data: bytes) -> bool:
    return _sha512(data) == FILES[name][2]


def _sha512(data: bytes) -> str:
    return base64.b64encode(hashlib.sha512(data).digest()).decode()


def _fetched() -> dict[str, bytes]:
    """All files, out of the packages that npm fetches: it knows its registry, mirrors and proxies."""
    npm = shutil.which("npm")
    if npm is None:
        raise _unavailable("npm is not installed")
    wanted = [f"@litertjs/{package}@{VERSION}" for package in PACKAGES]
    with tempfile.TemporaryDirectory(prefix="lmedge-") as folder:
        try:
            done = subprocess.run([npm, "pack", *wanted, *NPM_OPTIONS], cwd=folder, stdin=subprocess.DEVNULL,
                                  capture_output=True, text=True, check=False, timeout=TIMEOUT)  # fmt: skip
        except subprocess.TimeoutExpired:
            raise _unavailable(f"npm took more than {TIMEOUT} seconds") from None
        if done.returncode:
            raise _unavailable(_reason(done))
        tarballs = {_sha512(file.read_bytes()): file for file in Path(folder).glob("*.tgz")}
        files = {}
        for package, digest in PACKAGES.items():
            if digest not in tarballs:  # it is not even opened
                raise LmedgeError(f"what npm gives as @litertjs/{package}@{VERSION} is not what this lmedge was tested "
                                  "with, and was not kept; npm config get registry says where it is from.")  # fmt: skip
            with tarfile.open(tarballs[digest]) as archive:
                files.update({name: _member(archive, f"package/{path}")
                              for name, (of, path, _) in FILES.items() if of == package})  # fmt: skip
    return files


def _member(archive: tarfile.TarFile, path: str) -> bytes:
    file = archive.extractfile(path)
    assert file is not None  # the hash says what is inside
    return file.read()


def _reason(done: subprocess.CompletedProcess[str]) -> str:
    try:
        return str(json.loads(done.stdout)["error"]["summary"]).strip().rstrip(".")
    except (ValueError, KeyError, TypeError):
        return f"npm ended with {done.returncode}"


def _unavailable(reason: str) -> LmedgeError:
    return LmedgeError(f"LiteRT.js cannot be fetched ({reason}); run {INSTALL} where npm and a network are, "
                       "and name its node_modules with --litert-js.")  # fmt: skip
