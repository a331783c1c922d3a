import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from lmedge.runtime.bundle import PRETRAINED

ROOT = Path(__file__).resolve().parents[1]
DEMO = ROOT / "android_demo"
CHECK = ROOT / "scripts" / "check_android"


@pytest.fixture
def apk_tools(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    import android_apk

    return android_apk


def test_the_app_draws_what_the_python_runtime_draws_and_is_packed(tmp_path):
    if shutil.which("java") is None:
        pytest.skip("java is not installed")
    apk, pictures = tmp_path / "lmedge.apk", tmp_path / "pictures"
    command = [sys.executable, CHECK, "--apk", apk, "--pictures", pictures]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if "cannot be fetched" in done.stderr:
        pytest.skip(done.stderr.splitlines()[-1])
    assert done.returncode == 0, done.stdout + done.stderr
    passed = [int(number) for number in re.findall(r"OK \((\d+) tests?\)", done.stdout)]
    assert passed[0] >= (22 if "skipped: the library" in done.stdout else 31) and passed[1] == 1
    if "skipped: the app" in done.stdout:
        pytest.skip(done.stdout.splitlines()[-1])
    assert passed[2] >= 16 and passed[3] == 2
    sizes = dict(re.findall(r"([\w.:-]+) ([\d.]+) MB", done.stdout.splitlines()[-2]))
    assert {"bundle", "arm64-v8a", "armeabi-v7a", "x86", "x86_64"} <= sizes.keys()
    assert float(sizes["APK:"]) < 25
    with zipfile.ZipFile(apk) as archive:
        names = archive.namelist()
        assert archive.read("classes.dex").startswith(b"dex\n")
        assert archive.read("assets/bundle/bundle.json") == (PRETRAINED / "bundle.json").read_bytes()
    assert {"AndroidManifest.xml", "resources.arsc", "lib/arm64-v8a/libtensorflowlite_jni.so"} <= set(names)
    assert not [name for name in names if "int8-io" in name]
    assert (pictures / "screens.jpg").is_file()


def test_an_entry_of_an_apk_is_found_where_its_data_begins(tmp_path, apk_tools):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("first", b"x" * 5)
        archive.writestr("models/second.tflite", b"the model")
    with zipfile.ZipFile(path) as archive:
        entry = archive.getinfo("models/second.tflite")
    assert path.read_bytes()[apk_tools.start(path, entry) :].startswith(b"the model")


def test_a_model_that_is_compressed_or_not_aligned_is_refused(tmp_path, apk_tools):
    class Passing:
        """The tools of Android, all content."""

        def run(self, what, *command):
            return "sdkVersion:'24' launchable-activity: name='org.lmedge.app.FaceActivity'"

    def packed(**options):
        path = tmp_path / "app.apk"
        with zipfile.ZipFile(path, "w") as archive:
            for name in apk_tools.models(PRETRAINED):
                archive.write(PRETRAINED / name, f"assets/bundle/{name}", **options)
        return path

    with pytest.raises(SystemExit, match="is compressed, or not at a multiple of 4 bytes"):
        apk_tools.check(Passing(), packed(compress_type=zipfile.ZIP_DEFLATED), PRETRAINED)
    with pytest.raises(SystemExit, match="is compressed, or not at a multiple of 4 bytes"):
        apk_tools.check(Passing(), packed(compress_type=zipfile.ZIP_STORED), PRETRAINED)


def test_gradle_and_the_check_build_with_the_same_libraries():
    versions = tomllib.loads((DEMO / "gradle" / "libs.versions.toml").read_text())["versions"]
    pins = (DEMO / "maven.sha256").read_text()
    for artifact, version in (
        ("tensorflow-lite", versions["tflite"]),
        ("kotlin-compiler-embeddable", versions["kotlin"]),
        ("json", versions["json"]),
    ):
        assert f"/{artifact}/{version}/" in pins
    modules = re.findall(r'":(\w+)"', (DEMO / "settings.gradle.kts").read_text())
    assert modules == ["core", "engine", "app"]
    assert all((DEMO / module / "build.gradle.kts").is_file() for module in modules)
    bundle = re.search(r"^bundle=(.*)$", (DEMO / "gradle.properties").read_text(), re.MULTILINE)[1]
    assert (DEMO / bundle).resolve() == PRETRAINED.resolve()


def test_the_layer_core_knows_no_android():
    sources = list((DEMO / "core" / "src").rglob("*.kt"))
    assert len(sources) >= 4
    assert not [source for source in sources if re.search(r"^import android", source.read_text(), re.MULTILINE)]
