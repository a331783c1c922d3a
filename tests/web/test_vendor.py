import io
import json
import tarfile

import pytest

from lmedge.errors import LmedgeError
from lmedge.web import vendor
from lmedge.web.vendor import FILES, litert_js


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A cache of its own, empty; npm is what `npm(script)` makes of it, and missing before."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return tmp_path / "cache" / "lmedge" / f"litertjs-{vendor.VERSION}"


@pytest.fixture
def npm(tmp_path, cache):
    def made(script):
        path = tmp_path / "bin" / "npm"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    return made


@pytest.fixture
def registry(tmp_path, npm, vendored, monkeypatch):
    """A registry whose packages hold the files of LiteRT.js; npm notes what it was asked for in `asked`."""
    for package in vendor.PACKAGES:
        path = tmp_path / f"{package}.tgz"
        with tarfile.open(path, "w") as archive:
            for name, (of, member, _) in FILES.items():
                if of == package:
                    facts = tarfile.TarInfo(f"package/{member}")
                    facts.size = len(vendored[name])
                    archive.addfile(facts, io.BytesIO(vendored[name]))
        monkeypatch.setitem(vendor.PACKAGES, package, vendor._sha512(path.read_bytes()))
    npm(f'echo "$@" >> {tmp_path}/asked; /bin/cp {tmp_path}/core.tgz {tmp_path}/wasm-utils.tgz .')
    return tmp_path


def test_it_is_fetched_by_name_and_kept(registry, cache, vendored):
    assert litert_js() == vendored
    assert litert_js() == vendored
    (asked,) = (registry / "asked").read_text().splitlines()
    assert asked.split()[:3] == ["pack", "@litertjs/core@2.5.3", "@litertjs/wasm-utils@2.5.3"] and "://" not in asked
    assert {path.name: path.read_bytes() for path in cache.iterdir()} == vendored


def test_what_is_kept_is_checked_and_fetched_again(registry, cache, vendored, capsys):
    litert_js()
    file = cache / "litert_wasm_internal.wasm"
    data = file.read_bytes()
    for times, damaged in enumerate((b"", data[:-1], data[:-1] + b"?", None), 2):
        file.unlink()
        if damaged is not None:
            file.write_bytes(damaged)
        assert litert_js() == vendored and file.read_bytes() == data
        assert "litert_wasm_internal.wasm is damaged; fetching it again" in capsys.readouterr().err
        assert len((registry / "asked").read_text().splitlines()) == times


def test_a_damaged_cache_is_refused_where_nothing_can_be_fetched(registry, cache):
    litert_js()
    (cache / "core.js").write_bytes(b"")
    (registry / "bin" / "npm").unlink()
    with pytest.raises(LmedgeError, match=r"LiteRT.js cannot be fetched \(npm is not installed\); .*--litert-js"):
        litert_js()


def test_why_npm_fails_is_said(npm):
    said = json.dumps({"error": {"code": "ENOTFOUND", "summary": "request to http://mirror/ failed, no such host."}})
    npm(f"echo '{said}'; exit 1")
    with pytest.raises(LmedgeError, match=r"\(request to http://mirror/ failed, no such host\); run npm install "):
        litert_js()
    npm("exit 3")
    with pytest.raises(LmedgeError, match=r"cannot be fetched \(npm ended with 3\)"):
        litert_js()


def test_what_is_not_the_tested_one_is_refused(npm, cache):
    npm("echo something else > litertjs-core-2.5.3.tgz")
    with pytest.raises(LmedgeError, match="npm gives as @litertjs/core@2.5.3 is not what this lmedge was tested with"):
        litert_js()
    assert not cache.exists()


def test_it_is_taken_from_a_folder_of_packages(cache, vendored, tmp_path):
    packages = tmp_path / "node_modules"
    for name, (package, path, _) in FILES.items():
        target = packages / "@litertjs" / package / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(vendored[name])
    assert litert_js(packages) == vendored and not cache.exists()
    file = packages / "@litertjs" / "core" / "dist" / "index.js"
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(LmedgeError, match=r"--litert-js .*index\.js is damaged or not of LiteRT\.js 2\.5\.3"):
        litert_js(packages)
    file.unlink()
    with pytest.raises(LmedgeError, match=r"--litert-js .* has no .*index\.js; npm install @litertjs/core@2\.5\.3"):
        litert_js(packages)
