"""An APK of android_demo without Gradle: assembled, signed with a key that is thrown away, and looked into."""

import secrets
import shutil
import struct
import zipfile
from pathlib import Path

from android_build import JAVA, Build, declared, ended

from lmedge.runtime.bundle import BUNDLE_FILE

PAGE = 4096
TOOLS = ("aapt", "zipalign", "apksigner", "keytool")


def assemble(build: Build, assets: Path, out: Path) -> None:
    """Class files, resources, the native libraries of TensorFlow Lite and a folder of assets -> a signed APK."""
    classes = build.out / "stdlib"
    with zipfile.ZipFile(build.jars("kotlin")[0]) as archive:
        archive.extractall(classes, [name for name in archive.namelist() if not name.startswith("META-INF")])
    dex, plain, aligned = (build.out / name for name in ("classes.dex", "plain.apk", "aligned.apk"))
    modules = [build.out / name for name in ("core", "engine", "app")]
    build.run("dx", *JAVA, "-cp", build.path("dexer"), "com.android.dx.command.Main", "--dex",
              f"--min-sdk-version={declared('minSdk')}", f"--output={dex}",
              *modules, classes, *build.jars("tflite"))  # fmt: skip
    build.run("aapt package", *build.aapt(), "-A", assets, "-0", "tflite", "-F", plain)
    with zipfile.ZipFile(plain, "a") as apk:
        apk.write(dex, "classes.dex", zipfile.ZIP_DEFLATED)
        with zipfile.ZipFile(build.groups["tflite"][0]) as archive:
            for name in archive.namelist():
                if name.startswith("jni/") and name.endswith(".so"):  # stored: the phone maps it from the APK
                    apk.writestr(name.replace("jni/", "lib/", 1), archive.read(name), zipfile.ZIP_STORED)
    build.run("zipalign", "zipalign", "-f", "-p", "4", plain, aligned)
    word, store = secrets.token_hex(8), build.out / "key.p12"
    build.run("keytool", "keytool", "-genkeypair", "-keystore", store, "-storetype", "PKCS12", "-storepass", word,
              "-alias", "check", "-keyalg", "RSA", "-keysize", "2048", "-validity", "1",
              "-dname", "CN=thrown away")  # fmt: skip
    build.run("apksigner sign", "apksigner", "sign", "--ks", store, "--ks-pass", f"pass:{word}",
              "--min-sdk-version", declared("minSdk"), "--out", out, aligned)  # fmt: skip


def check(build: Build, apk: Path, bundle: Path) -> None:
    """Ends with a sentence where the APK is not what a phone can install and map; prints its parts otherwise."""
    build.run("apksigner verify", "apksigner", "verify", "--min-sdk-version", declared("minSdk"), apk)
    badging = build.run("aapt dump", "aapt", "dump", "badging", apk)
    if "uses-permission" in badging:
        raise ended("the APK asks for a permission.")
    activity = f"{declared('namespace')}.FaceActivity"
    for line in (f"sdkVersion:'{declared('minSdk')}'", f"launchable-activity: name='{activity}'"):
        if line not in badging:
            raise ended(f"the APK does not say {line}.")
    with zipfile.ZipFile(apk) as archive:
        entries = archive.infolist()
        for name in models(bundle):
            if archive.read(f"assets/bundle/{name}") != (bundle / name).read_bytes():
                raise ended(f"assets/bundle/{name} is not the file of the bundle.")
    for entry in entries:
        mapped = {".tflite": 4, ".so": PAGE}.get(Path(entry.filename).suffix)
        if mapped and (entry.compress_type != zipfile.ZIP_STORED or start(apk, entry) % mapped):
            raise ended(f"{entry.filename} is compressed, or not at a multiple of {mapped} bytes.")
    kinds = {"classes.dex": "classes.dex", "resources": "res", "bundle": "assets/"}
    kinds |= {e.filename.split("/")[1]: e.filename for e in entries if e.filename.startswith("lib/")}
    sizes = {kind: sum(e.compress_size for e in entries if e.filename.startswith(head)) for kind, head in kinds.items()}
    parts = ", ".join(f"{kind} {size / 1e6:.2f} MB" for kind, size in sizes.items())
    print(f"the APK: {apk.stat().st_size / 1e6:.2f} MB: {parts}")


def start(apk: Path, entry: zipfile.ZipInfo) -> int:
    """Where the data of an entry begins: its local header says how long it is itself."""
    with apk.open("rb") as file:
        file.seek(entry.header_offset)
        name, extra = struct.unpack("<26x2H", file.read(30))
    return entry.header_offset + 30 + name + extra


def models(bundle: Path) -> list[str]:
    """What the app takes of a bundle, as copyBundle of app/build.gradle.kts: all but latents of int8."""
    return [BUNDLE_FILE, *sorted(file.name for file in bundle.glob("*.tflite") if "-int8-io" not in file.name)]


def copy_bundle(bundle: Path, assets: Path) -> Path:
    """The bundle among the assets."""
    folder = assets / "bundle"
    folder.mkdir(parents=True)
    for name in models(bundle):
        shutil.copy(bundle / name, folder)
    return folder
