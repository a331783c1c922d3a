"""From words to options: the one place where a verb's help is laid out, its words are parsed, and a file of options
is read."""

import ast
import dataclasses
import inspect
import io
import itertools
import shutil
import sys
import textwrap
from contextlib import redirect_stdout
from pathlib import Path
from typing import Annotated, Any, Literal, NotRequired, TypedDict, get_args, get_origin, get_type_hints

import tyro
from tyro.conf import FlagCreatePairsOff, Positional, arg

from lmedge.errors import UsageError
from lmedge.options import Stage, bare_type, is_required, read_values

OF_EVERY_VERB = tuple(field.name for field in dataclasses.fields(Stage))
FILE_HELP = "Take options from a JSON file, as --dry-run prints them; what the command line says wins."
EXAMPLE = "Example: "


def parse(kind: type[Stage], verb: str, words: list[str]) -> Any:
    """The options of a verb: what `words` say, else what the file of `--options` says, else the defaults.

    Raises UsageError for a required option that is missing and for what the file says wrong; SystemExit after the
    help, and when tyro has told what is wrong with a word.
    """
    if "-h" in words or "--help" in words:
        print(_help(kind, verb))
        raise SystemExit(0)
    given: dict[str, Any] = tyro.cli(_table(kind), prog=f"lmedge {verb}", args=words)
    file = given.pop("options", None)
    values = {**(read_options(kind, file) if file else {}), **given}
    for field in dataclasses.fields(kind):
        # Any number of photos is what tyro calls none.
        if is_required(field) and values.get(field.name, ()) == ():
            raise UsageError(f"{_written(kind, field.name)} is missing; lmedge {verb} --help explains it.")
    return kind(**values)


def read_options(kind: type[Stage], file: Path) -> dict[str, Any]:
    """The options in a file, checked, by name. Raises UsageError."""
    from lmedge.storage import read_json

    if not file.is_file():
        raise UsageError(f"--options {file} is not a file; name what a --dry-run has printed.")
    return read_values(kind, read_json(file, "a file of options"), file)


def _help(kind: type[Stage], verb: str) -> str:
    """The help, as wide as the terminal. tyro sets the options; it would run the lines of the explanation into one."""

    class Page(io.StringIO):
        encoding = str(getattr(sys.stdout, "encoding", "")).lower()  # boxes
        isatty = sys.stdout.isatty  # colours

    page = Page()
    off = {field.name: False for field in dataclasses.fields(kind) if field.default is False}
    with redirect_stdout(page):
        try:
            tyro.cli(_table(kind, off), prog=f"lmedge {verb}", args=["--help"], default=off, description="")
        except SystemExit:
            options = page.getvalue().split("\n", 1)[1]  # its usage may be wider than the terminal
    hints = get_type_hints(kind, include_extras=True).values()
    positional = [str(_metavar(hint)) for hint in hints if Positional in getattr(hint, "__metadata__", ())]
    usage = " ".join([f"usage: lmedge {verb} [OPTIONS]", *positional])
    return f"{usage}\n\n{_explanation(kind)}\n\n{options.strip()}"


def _explanation(kind: type[Stage]) -> str:
    """The docstring of a verb in paragraphs, and its examples, one a line."""
    width = shutil.get_terminal_size().columns
    paragraphs = inspect.cleandoc(kind.__doc__ or "").split("\n\n")
    examples = [line.removeprefix(EXAMPLE) for line in paragraphs[-1].splitlines() if line.startswith(EXAMPLE)]
    text = [textwrap.fill(paragraph, width) for paragraph in paragraphs[: -1 if examples else None]]
    if examples:
        text.append("\n  ".join(["Example:" if len(examples) == 1 else "Examples:", *examples]))
    return "\n\n".join(text)


def _table(kind: type[Stage], off: dict[str, bool] | None = None) -> Any:
    """The options as tyro reads them, none of them required and none with a default, so that it returns what was said
    and nothing else. Every flag has its opposite (a file may have set it), which help leaves out for those in `off`."""
    hints = get_type_hints(kind, include_extras=True)
    explained = _explained(kind)
    rows: dict[str, Any] = {}
    for field in sorted(dataclasses.fields(kind), key=lambda field: field.name in OF_EVERY_VERB):
        hint = hints[field.name]
        markers = [marker for marker in getattr(hint, "__metadata__", ()) if not hasattr(marker, "metavar")]
        if off and field.name in off:
            markers.append(FlagCreatePairsOff)
        markers.append(arg(metavar=_metavar(hint), help=explained[field.name], help_behavior_hint=_default(field)))
        rows[field.name] = NotRequired[Annotated[(bare_type(hint), *markers)]]
    rows["options"] = NotRequired[Annotated[Path, arg(metavar="FILE", help=FILE_HELP, help_behavior_hint="")]]
    return TypedDict("Options", rows)  # type: ignore[operator]


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


def _metavar(hint: Any) -> str | None:
    """What stands for the value; None leaves it to tyro."""
    for marker in getattr(hint, "__metadata__", ()):
        if getattr(marker, "metavar", None):
            return str(marker.metavar)
    base = bare_type(hint)
    if get_origin(base) is tuple and get_args(base)[-1] is ...:
        one = get_args(base)[0]
        return ("{" + ",".join(get_args(one)) + "}" if get_origin(one) is Literal else one.__name__.upper()) + " ..."
    return None


def _default(field: "dataclasses.Field[Any]") -> str:
    """What stands behind an explanation. Where no default can be named, the explanation says what happens."""
    if is_required(field):
        return "(required)"
    if field.default is True:
        return f"(default: --{field.name.replace('_', '-')})"
    if field.default is None or field.default is False or field.default == ():
        return ""
    values = field.default if isinstance(field.default, tuple) else (field.default,)
    return f"(default: {' '.join(map(str, values))})"


def _written(kind: type[Stage], name: str) -> str:
    """An option as the user writes it: `--out`, or what stands for a positional one."""
    hint = get_type_hints(kind, include_extras=True)[name]
    if Positional in getattr(hint, "__metadata__", ()):
        return str(_metavar(hint))
    return f"--{name.replace('_', '-')}"
