"""What is wrong with the words of a command line, in one sentence: tyro, which reads them, prints boxes."""

import re
import shlex
from pathlib import Path
from typing import Any, NoReturn, get_args, get_origin, get_type_hints

from lmedge.errors import UsageError, nearest
from lmedge.option_help import FILE, OptionHelp, described
from lmedge.options import Stage, bare_type


def refuse_words(kind: type[Stage], verb: str, words: list[str]) -> NoReturn:
    """Raises UsageError for the first word that a verb does not take, with what it takes."""
    hints = {**get_type_hints(kind), FILE.name: Path}
    options = described(kind)
    positional = [option for option in options if option.positional]
    _refuse_loose(verb, _read_options(verb, options, hints, words), positional, hints)
    raise UsageError(f"lmedge {verb} does not take {shlex.join(words)}; lmedge {verb} --help says what it takes.")


def _read_options(verb: str, options: list[OptionHelp], hints: dict[str, Any], words: list[str]) -> list[str]:
    """The words that belong to no option. Raises UsageError for an option that is not known, and for a wrong value."""
    known = {option.written: option for option in options if not option.positional}
    known |= {f"--no-{name[2:]}": option for name, option in known.items() if not option.metavar}
    loose, rest = [], list(words)
    while rest:
        if not _is_option(word := rest.pop(0)):
            loose.append(word)
            continue
        name, equals, value = word.partition("=")
        option = known.get(name.replace("_", "-"))
        if option is None:
            raise UsageError(f"lmedge {verb} has no {name}; {nearest(name, known)}")
        if equals and not option.metavar:
            raise UsageError(f"{name} takes no value, so {value!r} is too much; leave it out.")
        several = option.metavar.endswith("...")
        wanted = len(rest) if several else len(option.metavar.split())
        values = [value] if equals else []
        while len(values) < wanted and rest and not _is_option(rest[0]):
            values.append(rest.pop(0))
        if len(values) < wanted and not several:
            needs = "a value" if wanted == 1 else f"{wanted} values"
            raise UsageError(f"{name} needs {needs} ({option.metavar}); lmedge {verb} --help explains it.")
        for value in values:
            _check(name, option, hints[option.name], value)
    return loose


def _refuse_loose(verb: str, words: list[str], positional: list[OptionHelp], hints: dict[str, Any]) -> None:
    """Raises UsageError for a word that no positional option takes."""
    if any(option.metavar.endswith("...") for option in positional):
        return
    for option, word in zip(positional, words, strict=False):
        _check(option.name, option, hints[option.name], word)
    if len(words) > len(positional):
        takes = " ".join(option.metavar for option in positional) or "options"
        raise UsageError(f"{words[len(positional)]!r} is too much: lmedge {verb} takes {takes} alone; leave it out.")


def _is_option(word: str) -> bool:
    return re.match(r"--?[^\W\d]|--$", word) is not None


def _check(written: str, option: OptionHelp, hint: Any, value: str) -> None:
    """Raises UsageError for a value of another type than the option's."""
    if option.choices and value not in option.choices:
        raise UsageError(f"{written} {value!r} is unknown; {nearest(value, option.choices)}")
    bare = bare_type(hint)
    one = bare_type(get_args(bare)[0]) if get_origin(bare) is tuple else bare
    if one in (int, float):
        try:
            one(value)
        except ValueError:
            called = "a whole number" if one is int else "a number"
            raise UsageError(f"{written} must be {called}, not {value!r:.60}.") from None
