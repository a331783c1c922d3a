"""What labelled faces are stored as. Every format gets the same faces, a part at a time, and closes with what only the
whole set can say.

A format is a file here that is called as it is, has it as FORMAT, and stands in `FormatName` of `datasets/options.py`.
"""

from importlib import import_module
from typing import get_args

from lmedge.datasets.formats.format import PART_FACES, Format, Labels, Shape, stem
from lmedge.datasets.options import FormatName
from lmedge.errors import UsageError, nearest
from lmedge.installation import install

__all__ = ["FORMATS", "PART_FACES", "Format", "Labels", "Shape", "check_installed", "format_named", "stem"]

FORMATS: dict[str, Format] = {name: import_module(f"{__name__}.{name}").FORMAT for name in get_args(FormatName)}


def format_named(name: str) -> Format:
    """The format called `name`. Raises UsageError with the nearest one."""
    if name not in FORMATS:
        raise UsageError(f"--format {name}: unknown; {nearest(name.lower(), FORMATS, 0.4)}")
    return FORMATS[name]


def check_installed(format_: Format) -> None:
    """Raises UsageError for a format that needs what is not installed."""
    if missing := format_.missing():
        extras = dict.fromkeys("datasets" if module == "fpng" else "train" for module in missing)
        ready = [name for name, other in FORMATS.items() if not other.missing()]
        other = f", or take one of {', '.join(ready)}" if ready else ""
        raise UsageError(
            f"--format {format_.name}: needs {' and '.join(missing)}, not installed here; {install(*extras)}{other}."
        )
