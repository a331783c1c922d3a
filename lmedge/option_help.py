"""What a user reads of a verb: its explanation, its examples, and a line on each option; for help, completion and the
reference page."""

import ast
import dataclasses
import inspect
import itertools
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from tyro.conf import Positional

from lmedge.options import Named, Stage, bare_type, is_required

OF_EVERY_VERB = tuple(field.name for field in dataclasses.fields(Stage))
EXAMPLE = "Example: "


@dataclass(frozen=True)
class OptionHelp:
    """An option as a user meets it. `written`: `--out`, or for a `positional` one what stands for it; `metavar`: what
    stands for its value, "" for a flag; `choices`: the words it takes, () where any; `default`: "(default: 3)",
    "(required)", or "" where the `explanation` says what happens."""

    name: str
    written: str
    metavar: str
    choices: tuple[str, ...]
    default: str
    explanation: str
    positional: bool
    is_path: bool


FILE = OptionHelp(
    "options", "--options", "FILE", (), "",
    "Take options from a JSON file, as --dry-run prints them; what the command line says wins.", False, True,
)  # fmt: skip


def described(kind: type[Stage]) -> list[OptionHelp]:
    """The options of a verb in the order of its help: first its own, last those of every verb."""
    hints, explained = get_type_hints(kind, include_extras=True), _explained(kind)
    fields = sorted(dataclasses.fields(kind), key=lambda field: field.name in OF_EVERY_VERB)
    return [*(_described(field, hints[field.name], explained[field.name]) for field in fields), FILE]


def _described(field: "dataclasses.Field[Any]", hint: Any, explanation: str) -> OptionHelp:
    one = bare_type(hint)
    one = get_args(one)[0] if get_origin(one) is tuple else one
    positional = Positional in getattr(hint, "__metadata__", ())
    metavar = _metavar(hint)
    return OptionHelp(
        field.name,
        metavar if positional else f"--{field.name.replace('_', '-')}",
        metavar,
        _choices(hint, one),
        _default(field),
        explanation,
        positional,
        one is Path,
    )


def _choices(hint: Any, one: Any) -> tuple[str, ...]:
    if get_origin(one) is Literal:
        return get_args(one)
    named = [marker for marker in getattr(hint, "__metadata__", ()) if isinstance(marker, Named)]
    return named[0].names() if named else ()


def explanation(kind: type[Stage]) -> tuple[list[str], list[str]]:
    """The paragraphs of a verb's docstring, each a line, and its examples: `lmedge sample bundle --out faces`."""
    paragraphs = inspect.cleandoc(kind.__doc__ or "").split("\n\n")
    examples = [line.removeprefix(EXAMPLE) for line in paragraphs[-1].splitlines() if line.startswith(EXAMPLE)]
    return [" ".join(text.split()) for text in paragraphs[: -1 if examples else None]], examples


def usage(kind: type[Stage], verb: str) -> str:
    """`usage: lmedge VERB [OPTIONS] RUN`."""
    positional = [option.written for option in described(kind) if option.positional]
    return " ".join([f"usage: lmedge {verb} [OPTIONS]", *positional])


def _explained(kind: type[Stage]) -> dict[str, str]:
    """The docstring under each option, as one paragraph."""
    found = {}
    for owner in reversed(kind.__mro__):
        if not dataclasses.is_dataclass(owner):
            continue
        (definition,) = ast.parse(textwrap.dedent(inspect.getsource(owner))).body
        assert isinstance(definition, ast.ClassDef)
        for option, text in itertools.pairwise(definition.body):
            if (
                isinstance(option, ast.AnnAssign)
                and isinstance(text, ast.Expr)
                and isinstance(text.value, ast.Constant)
            ):
                found[ast.unparse(option.target)] = " ".join(str(text.value.value).split())
    return found


def _metavar(hint: Any) -> str:
    """What stands for the value: what the type says, else its name in capitals, as often as it is given."""
    for marker in getattr(hint, "__metadata__", ()):
        if getattr(marker, "metavar", None):
            return str(marker.metavar)
    base = bare_type(hint)
    if base is bool:
        return ""
    if get_origin(base) is tuple:
        first, *others = get_args(base)
        return f"{_one(first)} ..." if others == [...] else " ".join(map(_one, get_args(base)))
    return _one(base)


def _one(kind: Any) -> str:
    kind = bare_type(kind)
    return "{" + ",".join(get_args(kind)) + "}" if get_origin(kind) is Literal else str(kind.__name__).upper()


def _default(field: "dataclasses.Field[Any]") -> str:
    if is_required(field):
        return "(required)"
    if field.default is True:
        return f"(default: --{field.name.replace('_', '-')})"
    if field.default is None or field.default is False or field.default == ():
        return ""
    values = field.default if isinstance(field.default, tuple) else (field.default,)
    return f"(default: {' '.join(map(str, values))})"
