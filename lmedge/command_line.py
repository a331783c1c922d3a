"""From words to options: the one place where a verb's help is laid out, its words are parsed, and a file of options
is read."""

import dataclasses
import io
import shutil
import sys
import textwrap
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Annotated, Any, NotRequired, TypedDict, get_type_hints

import tyro
from tyro.conf import FlagCreatePairsOff, arg

from lmedge.errors import UsageError
from lmedge.option_help import FILE, described, explanation, usage
from lmedge.options import Stage, bare_type, is_required, read_values
from lmedge.scheme import Scheme
from lmedge.wrong_words import refuse_words


def parse(kind: type[Stage], verb: str, words: list[str]) -> Any:
    """The options of a verb: what `words` say, else what the file of `--options` says, else the defaults.

    Raises UsageError for words that the verb does not take, a required option that is missing, and what the file says
    wrong; SystemExit after the help.
    """
    if "-h" in words or "--help" in words:
        print(_help(kind, verb))
        raise SystemExit(0)
    given: dict[str, Any]
    try:
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):  # its boxes
            given = tyro.cli(_table(kind), prog=f"lmedge {verb}", args=words)
    except SystemExit:
        refuse_words(kind, verb, words)
    file = given.pop(FILE.name, None)
    values = {**(read_options(kind, verb, file) if file else {}), **given}
    for field in dataclasses.fields(kind):
        # Any number of photos is what tyro calls none.
        if is_required(field) and values.get(field.name, ()) == ():
            (written,) = (option.written for option in described(kind) if option.name == field.name)
            raise UsageError(f"{written} is missing; lmedge {verb} --help explains it.")
    return kind(**values)


def read_options(kind: type[Stage], verb: str, file: Path) -> dict[str, Any]:
    """The options of a verb in a file, checked, by name. Raises UsageError."""
    from lmedge.storage import read_json

    if not file.is_file():
        raise UsageError(f"--options {file} is not a file; name what a --dry-run has printed.")
    options = read_json(file, "a file of options")
    known = {field.name for field in dataclasses.fields(kind)}
    if (strange := next((name for name in options if name not in known), None)) and (other := _verb_of(options)):
        raise UsageError(
            f"--options {file} was written for lmedge {other}, and lmedge {verb} has no {strange!r}; name what lmedge "
            f"{verb} --dry-run has printed."
        )
    return read_values(kind, options, file)


def _verb_of(options: dict[str, Any]) -> str | None:
    """The verb, and the words that choose its options, that has all of these, and the fewest others."""
    from lmedge.verbs import VERBS

    kinds = {(name, *words): kind for name, verb in VERBS.items() for words, kind in verb.kinds().items()}
    fields = {" ".join(called): {field.name for field in dataclasses.fields(kind)} for called, kind in kinds.items()}
    fitting = [called for called, known in fields.items() if known >= options.keys()]
    return min(fitting, key=lambda called: len(fields[called]), default=None)


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
    return f"{usage(kind, verb)}\n\n{_explanation(kind)}\n\n{options.strip()}"


def _explanation(kind: type[Stage]) -> str:
    """The docstring of a verb in paragraphs, and its examples, one a line."""
    paragraphs, examples = explanation(kind)
    text = [textwrap.fill(paragraph, shutil.get_terminal_size().columns) for paragraph in paragraphs]
    if examples:
        text.append("\n  ".join(["Example:" if len(examples) == 1 else "Examples:", *examples]))
    return "\n\n".join(text)


def _table(kind: type[Stage], off: dict[str, bool] | None = None) -> Any:
    """The options as tyro reads them, none of them required and none with a default, so that it returns what was said
    and nothing else. Every flag has its opposite (a file may have set it), which help leaves out for those in `off`."""
    hints: dict[str, Any] = {**get_type_hints(kind, include_extras=True), FILE.name: Path}
    rows: dict[str, Any] = {}
    for option in described(kind):
        hint = hints[option.name]
        markers = [marker for marker in getattr(hint, "__metadata__", ()) if not hasattr(marker, "metavar")]
        if off and option.name in off:
            markers.append(FlagCreatePairsOff)
        said = arg(metavar=option.metavar or None, help=option.explanation, help_behavior_hint=option.default)
        base = bare_type(hint)
        # A scheme is looked up when the options are made: in Python and in files of options it is given by name too.
        rows[option.name] = NotRequired[Annotated[(str if base is Scheme else base, *markers, said)]]
    return TypedDict("Options", rows)  # type: ignore[operator]
