import hashlib
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from lmedge.shipped import REFERENCE

ROOT = Path(__file__).resolve().parents[1]
DEMO = ROOT / "android_demo"
CHECK = ROOT / "scripts" / "check_android"


@pytest.fixture
def apk_tools(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    import android_apk

    return android_apk


@pytest.mark.slow
def test_the_app_draws_what_the_python_runtime_draws_and_is_packed(tmp_path):
    if shutil.which("java") is None:
        pytest.skip("java is not installed")
    apk, pictures = tmp_path / "lmedge.apk", tmp_path / "pictures"
    command = [sys.executable, CHECK, "--apk", apk, "--pictures", pictures]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if "cannot be fetched" in done.stderr or "is not installed (Debian: apt install maven)" in done.stderr:
        pytest.skip(done.stderr.splitlines()[-1])
    assert done.returncode == 0, done.stdout + done.stderr
    passed = [int(number) for number in re.findall(r"OK \((\d+) tests?\)", done.stdout)]
    assert passed[0] >= (24 if "skipped: the library" in done.stdout else 33) and passed[1] == 1
    if "skipped: the app" in done.stdout:
        pytest.skip(done.stdout.splitlines()[-1])
    assert passed[2] >= 19 and passed[3] == 2
    sizes = dict(re.findall(r"([\w.:-]+) ([\d.]+) MB", done.stdout.splitlines()[-2]))
    assert {"bundle", "arm64-v8a", "armeabi-v7a", "x86", "x86_64"} <= sizes.keys()
    assert float(sizes["APK:"]) < 25
    with zipfile.ZipFile(apk) as archive:
        names = archive.namelist()
        assert archive.read("classes.dex").startswith(b"dex\n")
        assert archive.read("assets/bundle/bundle.json") == (REFERENCE / "bundle.json").read_bytes()
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
            for name in apk_tools.models(REFERENCE):
                archive.write(REFERENCE / name, f"assets/bundle/{name}", **options)
        return path

    with pytest.raises(SystemExit, match="is compressed, or not at a multiple of 4 bytes"):
        apk_tools.check(Passing(), packed(compress_type=zipfile.ZIP_DEFLATED), REFERENCE)
    with pytest.raises(SystemExit, match="is compressed, or not at a multiple of 4 bytes"):
        apk_tools.check(Passing(), packed(compress_type=zipfile.ZIP_STORED), REFERENCE)


def test_gradle_and_the_check_build_with_the_same_libraries():
    catalog = tomllib.loads((DEMO / "gradle" / "libs.versions.toml").read_text())
    versions, libraries = catalog["versions"], catalog["libraries"]
    pins = (DEMO / "maven.sha256").read_text()
    for library, version in (("tflite", "tflite"), ("json", "json")):
        assert f" {libraries[library]['module']}:{versions[version]}" in pins
    assert f":kotlin-compiler-embeddable:{versions['kotlin']}" in pins
    # What ships is LiteRT, for pages of 16 KB: 1.4.0 does not load on Android 7, 2.x is another runtime.
    shipped = [libraries[name]["module"].split(":")[1] for name in catalog["bundles"]["runtime"]]
    assert shipped == ["litert", "litert-api"] and versions["litert"] == "1.4.2"
    assert "implementation(libs.bundles.runtime)" in (DEMO / "engine" / "build.gradle.kts").read_text()
    modules = re.findall(r'":(\w+)"', (DEMO / "settings.gradle.kts").read_text())
    assert modules == ["core", "engine", "app"]
    assert all((DEMO / module / "build.gradle.kts").is_file() for module in modules)
    bundle = re.search(r"^bundle=(.*)$", (DEMO / "gradle.properties").read_text(), re.MULTILINE)[1]
    assert (DEMO / bundle).resolve() == REFERENCE.resolve()


def test_the_wrapper_is_the_one_that_gradle_publishes():
    wrapper = DEMO / "gradle" / "wrapper"
    assert "/gradle-8.7-bin.zip\n" in (wrapper / "gradle-wrapper.properties").read_text()
    found = hashlib.sha256((wrapper / "gradle-wrapper.jar").read_bytes()).hexdigest()
    assert found == "cb0da6751c2b753a16ac168bb354870ebb1e162e9083f116729cec9c781156b8"  # gradle.org/release-checksums


def test_the_wrapper_refuses_another_gradle(tmp_path):
    if shutil.which("java") is None:
        pytest.skip("java is not installed")
    shutil.copytree(DEMO / "gradle", tmp_path / "gradle")
    shutil.copy(DEMO / "gradlew", tmp_path)
    other, properties = tmp_path / "other.zip", tmp_path / "gradle" / "wrapper" / "gradle-wrapper.properties"
    zipfile.ZipFile(other, "w").close()
    text = re.sub(r"https.*/gradle-8.7-bin.zip", f"file:{other}", properties.read_text())
    properties.write_text(text)
    environment = {**os.environ, "GRADLE_USER_HOME": str(tmp_path / "home")}
    command = [tmp_path / "gradlew", "--version"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert f"file:{other}" in text and done.returncode == 1
    assert "Verification of Gradle distribution failed!" in done.stdout + done.stderr


def test_the_layer_core_knows_no_android():
    sources = list((DEMO / "core" / "src").rglob("*.kt"))
    assert len(sources) >= 4
    assert not [source for source in sources if re.search(r"^import android", source.read_text(), re.MULTILINE)]


FAKE_MAVEN = """#!{python}
import pathlib, sys, xml.etree.ElementTree as xml
if {fails}:
    sys.exit("[ERROR] Failed to execute goal: Unknown host repository.example -> [Help 1]")
pom = pathlib.Path(sys.argv[sys.argv.index("--file") + 1])
for item in xml.parse(pom).iter("artifactItem"):
    of = {{part.tag: part.text for part in item}}
    end = "-" + of["classifier"] if "classifier" in of else ""
    file = pom.parent / "files" / f"{{of['artifactId']}}-{{of['version']}}{{end}}.{{of.get('type', 'jar')}}"
    file.parent.mkdir(exist_ok=True)
    file.write_text(":".join(part.text for part in item))
"""
NAMES = ("org.here:plain:1.0", "org.here:android:2:aar", "org.here:native:3-1.5:jar:linux-x86_64")


@pytest.fixture
def maven(tmp_path, monkeypatch):
    """android_maven with three pins of its own, an empty cache, and a Maven that copies a file's name into it."""
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    import android_maven

    def install(fails: bool = False) -> None:
        command = tmp_path / "bin" / "mvn"
        command.parent.mkdir(exist_ok=True)
        command.write_text(FAKE_MAVEN.format(python=sys.executable, fails=fails))
        command.chmod(0o755)

    pins = tmp_path / "pins"
    pins.write_text("".join(f"some {hashlib.sha256(name.encode()).hexdigest()} {name}\n" for name in NAMES))
    monkeypatch.setattr(android_maven, "PINS", pins)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    android_maven.install = install
    return android_maven


def test_maven_is_asked_by_name_once(maven, tmp_path):
    maven.install()
    found = maven.fetched(["some", "other"])
    files = ["plain-1.0.jar", "android-2.aar", "native-3-1.5-linux-x86_64.jar"]
    assert [file.name for file in found["some"]] == files and found["other"] == []
    assert [file.read_text() for file in found["some"]] == list(NAMES)
    assert sorted(path.name for path in (tmp_path / "cache" / "lmedge" / "android").iterdir()) == sorted(files)
    (tmp_path / "bin" / "mvn").unlink()
    assert maven.fetched(["some"])["some"] == found["some"]  # from the cache


def test_a_file_that_was_not_tested_is_not_kept(maven, tmp_path):
    maven.install()
    maven.PINS.write_text(f"some {'0' * 64} {NAMES[0]}\n")
    with pytest.raises(SystemExit, match=r"org.here:plain:1.0 as Maven gave it is not the file that was tested"):
        maven.fetched(["some"])
    assert list((tmp_path / "cache" / "lmedge" / "android").iterdir()) == []


def test_what_maven_says_is_passed_on(maven):
    with pytest.raises(SystemExit, match=r"Maven, .*is not installed \(Debian: apt install maven\)"):
        maven.fetched(["some"])
    maven.install(fails=True)
    with pytest.raises(SystemExit, match=r"cannot be fetched by Maven \(.*Unknown host repository.example\)"):
        maven.fetched(["some"])
