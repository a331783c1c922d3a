"""The `doctor` stage: what is installed here, and which verb lacks what."""

import importlib.metadata
import importlib.util
import os
import platform
import shutil
import subprocess
import sys

from lmedge import __version__
from lmedge.installation import install
from lmedge.runtime.interpreter import INTERPRETERS, installed, suits_here
from lmedge.storage import cache_folder

BASE = ("numpy", "pillow", "tyro", "rich")
TRAIN = ("tensorflow", "keras", "tf_keras", "tensorflow-model-optimization", "mediapipe", "opencv-contrib-python",
         "jinja2", "matplotlib")  # fmt: skip
DATASETS = ("fpng",)
INTERPRETER = "a TFLite interpreter"
LITERT_JS = "LiteRT.js"
# verbs -> distributions
NEEDS: dict[str, tuple[str, ...]] = {
    "toy, prepare": ("tensorflow", "mediapipe", "opencv-contrib-python"),
    "train-gan, invert, train-lgen": ("tensorflow", "keras", "opencv-contrib-python"),
    "evaluate, study, demo": (*TRAIN, *DATASETS),
    "report": ("opencv-contrib-python", "jinja2", "matplotlib"),
    "export": ("tensorflow", "keras", "tf_keras", "tensorflow-model-optimization", "mediapipe"),
    "sample, interpolate, bench": (INTERPRETER,),
    "synthesize": (INTERPRETER, *DATASETS),
    "serve, web-export": (INTERPRETER, LITERT_JS),
    "info, doctor": (),
}


def doctor() -> list[str]:
    """Lines of text. TensorFlow is asked for GPUs in a process of its own, as it may fail to load."""
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
    for verbs, needs in NEEDS.items():
        missing = [name for name in needs if not versions[name]]
        extras = dict.fromkeys("train" if name in TRAIN else "datasets" if name in DATASETS else suits_here()
                               for name in missing if name != LITERT_JS)  # fmt: skip
        remedies = [install(*extras)] if extras else []
        if LITERT_JS in missing:
            remedies.append("install npm, which fetches it, or name a node_modules that has it with --litert-js")
        verdict = f"missing {', '.join(missing)}: {'; '.join(remedies)}" if missing else "ready"
        lines.append(f"  {verbs:<32} {verdict}")
    formats = {name: format_.missing() for name, format_ in FORMATS.items()}
    lines.append("formats of synthesize")
    for stored_as, lacking in formats.items():
        extras = dict.fromkeys("datasets" if module == "fpng" else "train" for module in lacking)
        verdict = f"missing {', '.join(lacking)}: {install(*extras)}" if lacking else "ready"
        lines.append(f"  {stored_as:<32} {verdict}")
    return lines


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
