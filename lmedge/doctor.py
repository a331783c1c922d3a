"""The `doctor` stage: what is installed here, and which verb lacks what."""

import importlib.metadata
import importlib.util
import os
import platform
import subprocess
import sys

from lmedge import __version__
from lmedge.runtime.interpreter import INTERPRETERS, installed

BASE = ("numpy", "pillow", "tyro", "rich")
TRAIN = ("tensorflow", "keras", "tf_keras", "tensorflow-model-optimization", "mediapipe", "opencv-contrib-python",
         "jinja2", "matplotlib", "fpng")  # fmt: skip
NEEDS = {
    "toy, prepare": ("tensorflow", "mediapipe", "opencv-contrib-python"),
    "train-began, invert, train-lgen": ("tensorflow", "keras", "opencv-contrib-python"),
    "evaluate, study, demo": TRAIN,
    "synthesize": ("fpng",),
    "export": ("tensorflow", "keras", "tf_keras", "tensorflow-model-optimization", "mediapipe"),
}


def doctor() -> list[str]:
    """Lines of text. TensorFlow is asked for GPUs in a process of its own, as it may fail to load."""
    lines = [f"lmedge {__version__}, Python {platform.python_version()}, {platform.system()} {platform.machine()}, "
             f"{os.cpu_count()} cores"]  # fmt: skip
    versions = {name: _version(name) for name in (*BASE, *TRAIN)}
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
    for verbs, needs in NEEDS.items():
        missing = [name for name in needs if not versions[name]]
        extra = "datasets" if needs == ("fpng",) else "train"
        verdict = "ready" if not missing else f"missing {', '.join(missing)}: pip install 'lmedge[{extra}]'"
        lines.append(f"  {verbs:<32} {verdict}")
    verdict = "ready" if here else "no interpreter: pip install 'lmedge[litert]' or 'lmedge[tflite]'"
    lines.append(f"  {'sample, interpolate, bench, info':<32} {verdict}")
    return lines


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
