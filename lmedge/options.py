"""What all options share: their types, checks, and JSON."""

import dataclasses
import difflib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from tyro.conf import Positional, arg

from lmedge.bounds import Check
from lmedge.errors import UsageError
from lmedge.scheme import BUILT_IN, Scheme, scheme_of
from lmedge.shipped import models, require_model
from lmedge.url import Url, place

_SCHEMES = arg(metavar=f"{{{','.join(BUILT_IN)}}}|FILE")
SchemeOption = Annotated[Scheme, _SCHEMES]
SchemeIfSaid = Annotated[Scheme | None, _SCHEMES]
Precision = Literal["auto", "float32", "mixed_bfloat16"]


@dataclass(frozen=True)
class Named:
    """What stands for a name in the help: all that there are when it is asked for."""

    names: Callable[[], tuple[str, ...]]

    @property
    def metavar(self) -> str:
        return "{" + ",".join(self.names()) + "}"


class Urls:
    """What stands beside the type of a path that may be a URL of an object store."""


RunFolder = Annotated[Path, arg(metavar="RUN"), Urls()]
RunIfSaid = Annotated[Path | None, arg(metavar="RUN"), Urls()]
DatasetFolder = Annotated[Path, arg(metavar="DATASET"), Urls()]
BundlePath = Annotated[Path | None, arg(metavar="[BUNDLE]"), Urls()]
OutPlace = Annotated[Path, arg(metavar="PATH|URL"), Urls()]
ModelName = Annotated[str | None, Named(models), Check(require_model)]


@dataclass(frozen=True, kw_only=True)
class Stage:
    """What every verb understands."""

    dry_run: bool = False
    """Print the resolved options as JSON and stop."""
    debug: bool = False
    """Show the traceback of a failure."""

    def __post_init__(self) -> None:
        """Strings are paths where paths are wanted, and one path is a list of one: options are given in Python too. So
        is a landmark scheme by its name or its file. Raises UsageError for one that there is not, for a URL where only
        a path of this machine will do, and for a number that is beyond the bounds that stand beside its type."""
        hints = get_type_hints(type(self), include_extras=True)
        for name, hint in hints.items():
            value, bare = getattr(self, name), bare_type(hint)
            if bare is Path and value is not None:
                object.__setattr__(self, name, _place(name, value, hint))
            elif bare is Scheme and isinstance(value, str):
                object.__setattr__(self, name, scheme_of(value, written(name)))
            elif bare == tuple[Path, ...]:
                places = (value,) if isinstance(value, str | Path) else value
                object.__setattr__(self, name, tuple(_place(name, one, hint) for one in places))
        for name, check in _checks(hints).items():
            values = getattr(self, name)
            for value in values if isinstance(values, tuple) else (values,):
                if value is not None:
                    check.refuse(written(name), value)


def written(name: str) -> str:
    """An option as the command line has it: `--synthetic-share`."""
    return "--" + name.replace("_", "-")


def _place(name: str, path: str | Path, hint: Any) -> Path:
    found = place(path)
    if isinstance(found, Url) and not any(isinstance(beside, Urls) for beside in _beside(hint)):
        option = "" if Positional in _beside(hint) else f"{written(name)} "
        raise UsageError(f"{option}{found}: a path of this machine is wanted here, and no URL.")
    return found


def _checks(hints: Mapping[str, Any]) -> dict[str, Check]:
    """By option, what stands beside its type, or beside those in its tuple."""
    return {name: one for name, hint in hints.items() for one in _beside(hint) if isinstance(one, Check)}


def _beside(hint: Any) -> Iterator[Any]:
    if get_origin(hint) is Annotated:
        yield from hint.__metadata__
    for part in get_args(hint):
        yield from _beside(part)


def to_json(config: Stage) -> dict[str, Any]:
    """The options as JSON values; paths become strings, a landmark scheme its name where it is built in and else all of
    it, as its file may move. `dry_run` and `debug` are no part of a result."""
    options = {f.name: getattr(config, f.name) for f in dataclasses.fields(config)}
    del options["dry_run"], options["debug"]
    return json.loads(json.dumps(options, default=_plain))


def _plain(value: Any) -> Any:
    if isinstance(value, Scheme) and value != BUILT_IN.get(value.name):
        return value.to_json()
    return str(value)


def from_json(kind: type[Stage], options: dict[str, Any], where: Path) -> Any:
    """The inverse of `to_json`; errors as of `read_values`."""
    return kind(**read_values(kind, options, where))


def read_values(kind: type[Stage], options: dict[str, Any], where: Path) -> dict[str, Any]:
    """Values for `kind`, by name, from the JSON object that stands in the file `where`; they may be a part of them.

    Raises UsageError, which names file, option and value, for an option that this version does not know and for a value
    of another type.
    """
    hints = get_type_hints(kind)
    values = {}
    for name, value in options.items():
        if name not in hints:
            near = difflib.get_close_matches(name, hints, 1)
            hint = f"did you mean {near[0]}?" if near else "leave it out."
            raise UsageError(f"{where}: there is no option {name!r} in this version; {hint}")
        try:
            values[name] = _value(hints[name], value)
        except TypeError:
            raise UsageError(f"{where}: {name} is {json.dumps(value)}, not {_called(hints[name])}.") from None
    return values


def bare_type(hint: Any) -> Any:
    """The type of an option without what is said to tyro and without None."""
    if get_origin(hint) is Annotated:
        return bare_type(get_args(hint)[0])
    if get_origin(hint) in (Union, UnionType):
        (hint,) = (kind for kind in get_args(hint) if kind is not type(None))
        return bare_type(hint)
    return hint


def is_required(field: "dataclasses.Field[Any]") -> bool:
    """An option without a default."""
    return field.default is dataclasses.MISSING


def _value(hint: Any, value: Any) -> Any:
    """A JSON value as the type of an option. Raises TypeError."""
    bare = bare_type(hint)
    if value is None and type(None) in get_args(hint):
        return None
    if get_origin(bare) is Literal and isinstance(value, str) and value in get_args(bare):
        return value
    if get_origin(bare) is tuple and isinstance(value, list):
        parts = get_args(bare)
        parts = parts[:1] * len(value) if parts[-1] is ... else parts
        if len(parts) == len(value):
            return tuple(map(_value, parts, value))
    if bare is Path and isinstance(value, str):
        return Path(value)
    if bare is Scheme and isinstance(value, dict):
        return Scheme.from_json(value, "the scheme of the options")
    if bare is Scheme and isinstance(value, str):
        return value  # looked up with the option's name, when the options are made
    if bare is float and type(value) is int:
        return value
    if bare in (bool, int, float, str) and type(value) is bare:
        return value
    raise TypeError


def _called(hint: Any) -> str:
    """A type in words."""
    bare = bare_type(hint)
    if get_origin(bare) is Literal:
        words = "one of " + ", ".join(map(json.dumps, get_args(bare)))
    elif get_origin(bare) is tuple:
        parts = get_args(bare)
        words = f"a list, each {_called(parts[0])}" if parts[-1] is ... else f"a list of {len(parts)} numbers"
    else:
        words = {
            bool: "true or false", int: "a whole number", float: "a number",
            Scheme: "the name of a landmark scheme, its file or the scheme itself",
        }.get(bare, "a text")  # fmt: skip
    return words + (" or null" if type(None) in get_args(hint) else "")
