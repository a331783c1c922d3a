"""The models that come with lmedge: what they are called, and where they lie.

A name stands wherever a bundle or a run is asked for. What exists by that name in the working directory is meant first:
whoever has a folder `reference` goes on naming it so. Needs nothing but Python, as it runs on the device.
"""

from pathlib import Path

from lmedge.errors import UsageError
from lmedge.fetched import fetched
from lmedge.url import place

PRETRAINED = Path(__file__).parent / "pretrained"  # a folder a model: its bundle, and in `run` its networks
NAMES = ("reference", "student")  # that a model may have; `models` says which there are
DEFAULT = NAMES[0]
ALIAS = "pretrained"  # of the default one
REFERENCE = PRETRAINED / DEFAULT
REFERENCE_RUN = REFERENCE / "run"


def models() -> tuple[str, ...]:
    """The names of those that are there."""
    return tuple(name for name in NAMES if (PRETRAINED / name).is_dir())


def require_model(option: str, name: str) -> None:
    """Refuses a model that there is not. Raises UsageError."""
    if name not in models():
        raise UsageError(f"{option} {name}: no such model comes with this lmedge; there is {' and '.join(models())}.")


def bundle_at(path: Path | str | None, model: str | None = None) -> Path:
    """Where the bundle lies that `path` is, or names, or that of `model`; None and None: of the default one. One in an
    object store is fetched. Raises UsageError for both, and for a model that there is not."""
    return _folder(path, model) or fetched(place(path or ""))


def run_at(path: Path | str | None, model: str | None = None) -> Path:
    """Where the run lies; as `bundle_at`."""
    folder = _folder(path, model)
    return fetched(place(path or "")) if folder is None else folder / REFERENCE_RUN.name


def is_name(path: Path | str) -> bool:
    """Is it the name of a model, and nothing that exists?"""
    return str(path) in (ALIAS, *NAMES) and not Path(path).exists()


def meant_first(path: Path) -> str:
    """For a sentence on a folder that is not what was asked for: that a model of its name comes with lmedge."""
    named = path.parent == Path() and path.name in models()
    return f"; --model {path.name} is the model of that name, as a folder of it is meant first" if named else ""


def is_shipped(path: Path) -> bool:
    """Does it come with lmedge? Then nothing is written into it."""
    return path.resolve().is_relative_to(PRETRAINED.resolve())


def _folder(path: Path | str | None, model: str | None) -> Path | None:
    """Of the model that is meant; None where `path` is a path."""
    if path is None:
        return PRETRAINED / (model or DEFAULT)
    if model is not None:
        raise UsageError(f"--model {model} and {path} both say what is taken; leave one of them out.")
    if not is_name(path):
        return None
    name = DEFAULT if str(path) == ALIAS else str(path)
    require_model("the model", name)
    return PRETRAINED / name
