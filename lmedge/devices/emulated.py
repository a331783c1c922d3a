"""ARM boards, emulated: Debian's Python in a folder, run by qemu-user. No root, no chroot, nothing is installed.

apt and pip fetch it by name, from the sources that this machine's apt and pip have; apt checks their signatures.
"""

import platform
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lmedge.devices.device import ROOT, Outcome, Unavailable, cache, rendered
from lmedge.folders import making_folder
from lmedge.progress import console

PACKAGES = ("python3.11-minimal", "libpython3.11-stdlib", "python3-numpy", "python3-pil", "libstdc++6")
PURE = ("tyro>=0.9", "rich>=13.7")  # what the command line needs besides
RUNTIME = "tflite-runtime==2.14.0"
TOOLS = ("apt-get", "dpkg-deb")


@dataclass(frozen=True)
class Processor:
    """One kind of board: names that Debian, the C library, qemu and wheels have for it."""

    debian: str
    triplet: str
    qemu: str
    platform: str


PROCESSORS = {
    "arm64": Processor("arm64", "aarch64-linux-gnu", "aarch64", "manylinux_2_34_aarch64"),
    "armv7": Processor("armhf", "arm-linux-gnueabihf", "arm", "manylinux_2_34_armv7l"),
}


class Emulated:
    """A board with tflite-runtime's own wheel and Debian's NumPy."""

    def __init__(self, kind: str):
        self.kind, self.processor = kind, PROCESSORS[kind]
        self.name = f"{kind} tflite-runtime, emulated"

    def outcomes(self, models: dict[str, Path], latents: NDArray[np.float32]) -> dict[str, Outcome]:
        """See Device."""
        return rendered(self.python(), self.environment(), "tflite", models, latents)

    def python(self) -> list[str]:
        """The command that is the board's Python; its packages are fetched first where they are not there. Raises
        Unavailable."""
        root, library = self._folder() / "root", f"usr/lib/{self.processor.triplet}"
        libraries = f"{root / library / 'blas'}:{root / library / 'lapack'}"
        return [self._qemu(), "-L", str(root), "-E", f"LD_LIBRARY_PATH={libraries}", str(root / "usr/bin/python3.11")]

    def environment(self) -> dict[str, str]:
        """Variables for `python`."""
        folder = self._folder()
        paths = (ROOT, folder / "site", folder / "root/usr/lib/python3/dist-packages")
        return {"PYTHONPATH": ":".join(map(str, paths)), "PYTHONDONTWRITEBYTECODE": "1"}

    def _folder(self) -> Path:
        """The board's files: `root` of Debian packages, `site` of wheels."""
        folder = cache() / f"{self.kind}-bookworm"
        if not folder.is_dir():
            console.print(f"fetching Python for {self.kind} (40 MB, once)")
            with making_folder(folder, "packages of Debian", False, option="") as beside:
                _unpack(self.processor.debian, PACKAGES, beside / "root")
                pip = [sys.executable, "-m", "pip", "install", "--quiet", "--only-binary=:all:", "--python-version",
                       "3.11", "--target", str(beside / "site")]  # fmt: skip
                _run([*pip, "--no-deps", "--platform", self.processor.platform, RUNTIME])
                _run([*pip, "--upgrade", "--platform", "any", *PURE])
        return folder

    def _qemu(self) -> str:
        for name in (f"qemu-{self.processor.qemu}-static", f"qemu-{self.processor.qemu}"):
            if found := shutil.which(name):
                return found
        folder = cache() / "qemu-bookworm"
        if not folder.is_dir():
            machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine())
            if machine is None:
                raise Unavailable("qemu-user-static is not installed")
            with making_folder(folder, "packages of Debian", False, option="") as beside:
                _unpack(machine, ("qemu-user-static",), beside)
        return str(folder / "usr/bin" / f"qemu-{self.processor.qemu}-static")


def _unpack(architecture: str, packages: tuple[str, ...], root: Path) -> None:
    """Unpacks Debian packages and what they depend on into `root`, from the sources of this machine's apt; it works in
    a folder of its own and knows nothing of the machine's packages. Raises Unavailable."""
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        raise Unavailable(f"{missing[0]} is not here (a Debian or Ubuntu has it)")
    root.mkdir(parents=True, exist_ok=True)
    apt = root / ".apt"
    for name in ("state/lists/partial", "cache/archives/partial"):
        (apt / name).mkdir(parents=True)
    (apt / "status").touch()
    options = {
        "Dir::State": apt / "state", "Dir::State::status": apt / "status", "Dir::Cache": apt / "cache",
        "Debug::NoLocking": "1", "APT::Architecture": architecture, "APT::Architectures": architecture,
        "APT::Sandbox::User": "root",
    }  # fmt: skip
    get = ["apt-get", *(word for name, value in options.items() for word in ("-o", f"{name}={value}")), "-qq"]
    lost = _failure([*get, "update"])  # a source that does not answer may not be needed
    if failed := _failure([*get, "install", "-y", "--download-only", "--no-install-recommends", *packages]):
        hint = f"apt's sources must have Debian 12 for {architecture}; APT_CONFIG can name others"
        raise Unavailable(f"{lost or failed} ({hint})")
    for package in sorted((apt / "cache/archives").glob("*.deb")):
        _run(["dpkg-deb", "-x", str(package), str(root)])
    shutil.rmtree(apt)


def _run(command: list[str]) -> None:
    if failed := _failure(command):
        raise Unavailable(failed)


def _failure(command: list[str]) -> str | None:
    """Runs a command; what to say where it fails: its first line that apt marks as an error, or its last."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if not done.returncode:
        return None
    said = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()
    line = next((line for line in said if line.startswith("E: ")), said[-1])
    return f"{Path(command[0]).name} failed: {line[:200]}"
