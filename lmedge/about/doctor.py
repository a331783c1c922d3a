"""The `doctor` stage: what is installed here, and which verb lacks what."""

import importlib.metadata
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Mapping

from lmedge import __version__
from lmedge.installation import install
from lmedge.runtime.interpreter import INTERPRETERS, installed, suits_here
from lmedge.storage import cache_folder
from lmedge.verb import DATASETS, INTERPRETER, LITERT_JS, TRAIN

BASE = ("numpy", "pillow", "tyro", "rich")


def doctor(verbs: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Lines of text; `verbs`: name -> what it needs. TensorFlow is asked for GPUs in a process of its own, as it may
    fail to load."""
    from lmedge.datasets.formats import FORMATS

    lines = [f"lmedge {__version__}, Python {platform.python_version()}, {platform.system()} {platform.machine()}, "
             f"{os.cpu_count()} cores"]  # fmt: skip
    versions = {name: _version(name) for name in (*BASE, *TRAIN, *DATASETS)}
    lines += [f"  {name:<24} {version or 'missing'}" for name, version in versions.items()]
    lines += ["interpreters"]
    here = installed()
    for name, (module, distribution) in INTERPRETERS.items():
        if name not in here:
            lines.append(f"  {distribution:<24} missing")
        else:
            works = _try(f"import {module}")
            lines.append(f"  {distribution:<24} {here[name]}{'' if works is None else f', does not load: {works}'}")
    lines.append(f"GPU: {_gpus() if versions['tensorflow'] else 'TensorFlow is missing'}")
    lines.append("verbs")
    versions |= {INTERPRETER: next(iter(here.values()), None), LITERT_JS: _litert_js()}
    alike = _alike(verbs)
    width = max([32, *map(len, alike.values())])
    lines += [f"  {names:<{width}}  {_verdict(needs, versions)}" for needs, names in alike.items()]
    formats = {name: format_.missing() for name, format_ in FORMATS.items()}
    lines.append("formats of synthesize")
    for stored_as, lacking in formats.items():
        extras = dict.fromkeys("datasets" if module == "fpng" else "train" for module in lacking)
        verdict = f"missing {', '.join(lacking)}: {install(*extras)}" if lacking else "ready"
        lines.append(f"  {stored_as:<32} {verdict}")
    return lines


def _alike(verbs: Mapping[str, tuple[str, ...]]) -> dict[tuple[str, ...], str]:
    """Needs -> the verbs that have them."""
    alike: dict[tuple[str, ...], str] = {}
    for name, needs in verbs.items():
        alike[needs] = f"{alike[needs]}, {name}" if needs in alike else name
    return alike


def _verdict(needs: tuple[str, ...], versions: dict[str, str | None]) -> str:
    """`ready`, or what is missing and how to get it. What is not in `versions` is a distribution of a verb's own."""
    missing = [name for name in needs if not (versions[name] if name in versions else _version(name))]
    if not missing:
        return "ready"
    extras: list[str] = []
    others = []
    for name in missing:
        if name == LITERT_JS:
            others.append("install npm, which fetches it, or name a node_modules that has it with --litert-js")
        elif name == INTERPRETER or name in (*TRAIN, *DATASETS):
            extras.append(suits_here() if name == INTERPRETER else "train" if name in TRAIN else "datasets")
        else:
            others.append(f"pip install {name}")
    remedies = [install(*dict.fromkeys(extras))] if extras else []
    return f"missing {', '.join(missing)}: {'; '.join(remedies + others)}"


def _litert_js() -> str | None:
    """Its version, where it was fetched before or npm can fetch it."""
    from lmedge.web.vendor import VERSION

    return VERSION if shutil.which("npm") or (cache_folder() / f"litertjs-{VERSION}").is_dir() else None


def _version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def _try(code: str) -> str | None:
    """Runs code in a fresh process; None if it worked, else the last line of its complaint."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return None
    return (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]


def _gpus() -> str:
    code = "import tensorflow as tf; print([d.name for d in tf.config.list_physical_devices('GPU')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    if done.returncode:
        return "TensorFlow does not load: " + (done.stderr.strip().splitlines() or ["?"])[-1]
    found = done.stdout.strip().splitlines()[-1]
    return "none, training runs on the CPU" if found == "[]" else found
