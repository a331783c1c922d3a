"""Compiles android_demo without Gradle: the Kotlin compiler, aapt, and files that Maven fetches."""

import os
import re
import shutil
import subprocess
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path

DEMO = Path(__file__).resolve().parents[1] / "android_demo"
JAVA = ("java", "-Xmx1g", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")  # programs of a few seconds
OPENED = ("--add-opens=java.base/java.io=ALL-UNNAMED", "--add-opens=java.base/java.lang=ALL-UNNAMED")  # for Robolectric


def ended(sentence: str) -> SystemExit:
    """The end of the check, with a sentence."""
    return SystemExit(f"check_android: {sentence}")


def missing(*tools: str) -> str | None:
    """The first of the tools that is not installed."""
    return next((name for name in tools if shutil.which(name) is None), None)


def declared(name: str) -> str:
    """A value of the app's Gradle file, such as minSdk: it is said there and nowhere else."""
    text = (DEMO / "app" / "build.gradle.kts").read_text()
    found = re.search(rf'^\s*{name} = "?([\w.]+)"?$', text, re.MULTILINE)
    if found is None:
        raise ended(f"app/build.gradle.kts does not say {name}.")
    return found[1]


class Build:
    """What is compiled from the sources, in the folder `out`, with the files of `groups`."""

    def __init__(self, groups: dict[str, list[Path]], out: Path):
        self.groups, self.out = groups, out
        self.manifest = out / "AndroidManifest.xml"
        for archive in (file for files in groups.values() for file in files if file.suffix == ".aar"):
            with zipfile.ZipFile(archive) as opened:
                (out / f"{archive.stem}.jar").write_bytes(opened.read("classes.jar"))

    def jars(self, group: str) -> list[Path]:
        """The jars of a group; of an .aar the one inside it."""
        return [file if file.suffix == ".jar" else self.out / f"{file.stem}.jar" for file in self.groups[group]]

    def path(self, *names: str) -> str:
        """A class path of groups, and of modules that were compiled."""
        files = [jar for name in names for jar in (self.jars(name) if name in self.groups else [self.out / name])]
        return ":".join(map(str, files))

    def run(self, what: str, *command: str | Path, shown: bool = False, library: Path | None = None) -> str:
        """A step: what it printed, or the end with what its tool says; `shown` leaves its lines to the terminal.
        `library`: a folder where it finds native libraries."""
        start = time.monotonic()
        done = subprocess.run(
            [str(word) for word in command], stdout=None if shown else subprocess.PIPE,
            stderr=None if shown else subprocess.STDOUT, text=True, check=False,
            env=os.environ | ({"LD_LIBRARY_PATH": str(library)} if library else {}),
        )  # fmt: skip
        if done.returncode:
            raise ended(f"{what} failed{'.' if shown else ': ' + done.stdout.strip()[-3000:]}")
        print(f"{what}: {time.monotonic() - start:.0f} s", flush=True)
        return done.stdout or ""

    def compile(self, module: str, sources: Sequence[Path], *needed: str) -> None:
        """Kotlin sources -> class files of Java 8 without invokedynamic, which a dexer for Android 7 takes.

        They are compiled against the standard library of Kotlin 1.7: that of 1.9 has invokedynamic itself.
        """
        self.run(f"kotlinc {module}", *JAVA, "-cp", self.path("compiler"),
                 "org.jetbrains.kotlin.cli.jvm.K2JVMCompiler", "-no-stdlib", "-no-reflect", "-Werror", "-jvm-target",
                 "1.8", "-api-version", "1.7", "-Xsam-conversions=class", "-Xlambdas=class",
                 "-cp", self.path("kotlin", *needed), "-d", self.out / module, *sources)  # fmt: skip

    def resources(self) -> None:
        """The app's manifest, as Gradle merges it, and the class R of its resources."""
        name = declared("namespace")
        text = (DEMO / "app" / "src" / "main" / "AndroidManifest.xml").read_text().replace("${applicationId}", name)
        head = f'package="{name}" android:versionCode="{declared("versionCode")}" '
        head += f'android:versionName="{declared("versionName")}">\n    <uses-sdk '
        head += f'android:minSdkVersion="{declared("minSdk")}" android:targetSdkVersion="{declared("targetSdk")}" />'
        text = re.sub(r"(<manifest [^>]*)>", rf"\1 {head}", text)
        self.manifest.write_text(text.replace("<application ", '<application android:extractNativeLibs="false" '))
        generated = self.out / "generated"
        generated.mkdir()
        self.run("aapt R", *self.aapt(), "-m", "-J", generated)
        self.run("javac R", "javac", "--release", "8", "-Xlint:-options", "-d", self.out / "app",
                 *generated.rglob("R.java"))  # fmt: skip

    def aapt(self) -> list[str | Path]:
        """aapt on the app's resources, against those of Android 14."""
        return ["aapt", "package", "-f", "-M", self.manifest, "-S", DEMO / "app" / "src" / "main" / "res",
                "-I", self.groups["platform"][0]]  # fmt: skip

    def junit(
        self, classes: Sequence[str], path: str, properties: dict[str, object], library: Path | None = None
    ) -> None:
        """Runs test classes. `library`: a folder with native libraries."""
        given = [f"-D{name}={value}" for name, value in properties.items()]
        given += [f"-Djava.library.path={library}"] if library else []
        self.run("junit", *JAVA, *OPENED, *given, "-cp", path, "org.junit.runner.JUnitCore", *classes,
                 shown=True, library=library)  # fmt: skip

    def tests(self, module: str, alone: str) -> tuple[list[str], list[str]]:
        """The test classes of a module, and by themselves those named `alone`, which need a process of their own."""
        files = sorted((self.out / module).rglob("*Test.class"))
        names = [".".join(file.relative_to(self.out / module).with_suffix("").parts) for file in files]
        return [name for name in names if not name.endswith(alone)], [name for name in names if name.endswith(alone)]
