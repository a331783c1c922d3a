"""The files of Maven Central that check_android needs: pinned, fetched by Maven, and kept."""

import hashlib
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from android_build import DEMO, ended, missing

from lmedge.storage import cache_folder

PINS = DEMO / "maven.sha256"  # group, SHA-256, and groupId:artifactId:version[:type[:classifier]] of each file
COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy"
POM = """<project><modelVersion>4.0.0</modelVersion>
<groupId>org.lmedge</groupId><artifactId>check-android</artifactId><version>1</version><packaging>pom</packaging>
<build><plugins><plugin>
<groupId>org.apache.maven.plugins</groupId><artifactId>maven-dependency-plugin</artifactId><version>3.8.1</version>
<configuration><outputDirectory>files</outputDirectory><artifactItems>{}</artifactItems></configuration>
</plugin></plugins></build></project>
"""


@dataclass(frozen=True)
class Pin:
    """A file by the name that Maven has for it."""

    group: str
    sha256: str
    name: str

    @property
    def item(self) -> dict[str, str]:
        """The parts of its name."""
        parts = ("groupId", "artifactId", "version", "type", "classifier")
        return dict(zip(parts, self.name.split(":"), strict=False))

    @property
    def file(self) -> str:
        """What Maven calls the file."""
        item = self.item
        stem = "-".join(item[part] for part in ("artifactId", "version", "classifier") if part in item)
        return f"{stem}.{item.get('type', 'jar')}"


def pins() -> list[Pin]:
    """All files, in the order of the list."""
    return [Pin(*line.split()) for line in PINS.read_text().splitlines()]


def fetched(groups: Sequence[str]) -> dict[str, list[Path]]:
    """Group of the pins -> its files, fetched once into ~/.cache/lmedge/android."""
    folder = cache_folder() / "android"
    folder.mkdir(parents=True, exist_ok=True)
    wanted = [pin for pin in pins() if pin.group in groups]
    if lacking := [pin for pin in wanted if not (folder / pin.file).exists()]:
        fetch(lacking, folder)
    return {group: [folder / pin.file for pin in wanted if pin.group == group] for group in groups}


def fetch(lacking: Sequence[Pin], folder: Path) -> None:
    """Has Maven, which knows its repositories, mirrors and proxies, copy files into `folder`. Each appears there when
    it was checked, by rename: two processes may fetch at once."""
    if missing("mvn"):
        raise ended("Maven, which fetches what Android needs, is not installed (Debian: apt install maven).")
    print(f"fetching {len(lacking)} files with Maven", file=sys.stderr)
    with tempfile.TemporaryDirectory(dir=folder) as beside:
        items = ["".join(f"<{part}>{word}</{part}>" for part, word in pin.item.items()) for pin in lacking]
        pom = Path(beside) / "pom.xml"
        pom.write_text(POM.format("".join(f"<artifactItem>{item}</artifactItem>" for item in items)))
        command = ["mvn", "--batch-mode", "--quiet", "--no-transfer-progress", "--file", str(pom), COPY]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            lines = (done.stdout + done.stderr).splitlines()
            said = next((line for line in lines if "ERROR" in line), "no message").partition(" -> ")[0]
            raise ended(f"what Android needs cannot be fetched by Maven ({said[-300:]}).")
        for pin in lacking:
            file = Path(beside) / "files" / pin.file
            with file.open("rb") as opened:
                found = hashlib.file_digest(opened, "sha256").hexdigest()
            if found != pin.sha256:
                raise ended(f"{pin.name} as Maven gave it is not the file that was tested (its SHA-256 is {found}).")
            file.rename(folder / pin.file)
