"""What all options share: their types, checks, and JSON."""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

from tyro.conf import arg

from lmedge.errors import UsageError

SchemeName = Literal["ibug68", "ibug49"]
RunFolder = Annotated[Path, arg(metavar="RUN")]
DatasetFolder = Annotated[Path, arg(metavar="DATASET")]
FacesPath = Annotated[Path | None, arg(metavar="[DATASET|PHOTO]")]
BundlePath = Annotated[Path | None, arg(metavar="[BUNDLE]")]
Precision = Literal["auto", "float32", "mixed_bfloat16"]
VariantName = Literal["fp32", "fp16", "dynamic", "int8", "int8-io", "int8-qat"]


@dataclass(frozen=True, kw_only=True)
class Stage:
    """What every verb understands."""

    dry_run: bool = False
    """Print the resolved options as JSON and stop."""
    debug: bool = False
    """Show the traceback of a failure."""


def to_json(config: Stage) -> dict[str, Any]:
    """The options as JSON values; paths become strings. `dry_run` and `debug` are no part of a result."""
    options = {f.name: getattr(config, f.name) for f in dataclasses.fields(config)}
    del options["dry_run"], options["debug"]
    return json.loads(json.dumps(options, default=str))


def from_json(kind: type[Stage], options: dict[str, Any]) -> Any:
    """The inverse of `to_json`. Raises UsageError on an option that this version does not know."""
    fields = {f.name for f in dataclasses.fields(kind)}
    unknown = set(options) - fields
    if unknown:
        raise UsageError(f"option {sorted(unknown)[0]!r} is unknown to {kind.__name__} of this version.")
    hints = get_type_hints(kind)
    values: dict[str, Any] = {}
    for name, value in options.items():
        text = str(hints[name])
        if isinstance(value, list):
            value = tuple(Path(v) for v in value) if "Path" in text else tuple(value)
        elif isinstance(value, str) and "Path" in text:
            value = Path(value)
        values[name] = value
    return kind(**values)


def require(option: str, value: float, least: float, most: float | None = None) -> None:
    """Refuses a number out of range. Raises UsageError that names the option and quotes the value."""
    if not value >= least or (most is not None and value > most):
        bounds = f"at least {least:g}" if most is None else f"between {least:g} and {most:g}"
        raise UsageError(f"{option} must be {bounds}, not {value:g}.")


def require_size(size: int) -> None:
    """Refuses a face size that the networks cannot make: they double from 8 pixels. Raises UsageError."""
    if size not in (16, 32, 64, 128, 256):
        raise UsageError(f"--size must be 16, 32, 64, 128 or 256, not {size}.")
