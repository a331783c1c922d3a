"""How more of lmedge is installed, from wherever this one came; every message that advises it asks here."""

import json
import shlex
from pathlib import Path

ROOT = Path(__file__).parents[1]  # of a clone, where this file is in one
# extra -> what it brings, by the names of the modules
EXTRAS = {
    "train": ("tensorflow", "keras", "tf_keras", "tensorflow_model_optimization", "mediapipe", "cv2", "jinja2",
              "matplotlib"),
    "datasets": ("fpng",),
    "litert": ("ai_edge_litert",),
    "tflite": ("tflite_runtime",),
    "ray": ("ray",),
    "store": ("fsspec", "s3fs"),
}  # fmt: skip
PINNED = "train"  # the extra whose versions are tied to each other, by constraints.txt of a clone


def install(*extras: str) -> str:
    """The command that adds extras to this installation, from its clone, its wheel, or where else it came from."""
    names = f"[{','.join(extras)}]" if extras else ""
    clone = _clone()
    if clone is None:
        before, after = _source()
        return f"pip install {shlex.quote(before + names + after)}"
    inside = Path.cwd() == clone
    constraints = "constraints.txt" if inside else str(clone / "constraints.txt")
    pinned = f"-c {shlex.quote(constraints)} " if PINNED in extras else ""
    return f"pip install {pinned}{shlex.quote(('.' if inside else str(clone)) + names)}"


def remedy(module: str) -> str:
    """The command that brings a module that is missing."""
    module = module.split(".")[0]
    return install(*(extra for extra, modules in EXTRAS.items() if module in modules))


def _clone() -> Path | None:
    """The clone that this lmedge runs from or was installed from, if it is there."""
    url = _installed_from() or ""
    folders = (ROOT, _path(url)) if url.startswith("file:") else (ROOT,)
    return next((folder for folder in folders if (folder / "pyproject.toml").is_file()), None)


def _source() -> tuple[str, str]:
    """What pip takes where there is no clone: what stands before the extras, and behind them."""
    url = _installed_from()
    if url is None:
        return "lmedge", ""  # it came from an index
    if not url.startswith("file:"):
        return "lmedge", f" @ {url}"
    path = _path(url)
    return (str(path) if path.exists() else path.name), ""  # a wheel; one that is gone, by its name


def _path(url: str) -> Path:
    from urllib.parse import urlsplit  # here, as the next takes as long to import as all of the device side
    from urllib.request import url2pathname

    return Path(url2pathname(urlsplit(url).path))


def _installed_from() -> str | None:
    """The address that pip has noted (PEP 610); it notes none of what came from an index."""
    import importlib.metadata as metadata  # here, as it takes long to import

    try:
        about = json.loads(metadata.distribution("lmedge").read_text("direct_url.json") or "{}")
    except (metadata.PackageNotFoundError, json.JSONDecodeError):
        return None
    vcs = about.get("vcs_info", {}).get("vcs")
    return f"{vcs}+{about['url']}" if vcs else about.get("url")
