"""Names of what a face may show, such as Smiling. Needs no more than Python, as it runs on the device."""

import re
from collections.abc import Sequence
from typing import Any

from lmedge.errors import LmedgeError, UsageError

MOST_ATTRIBUTES = 256
# A name is written on command lines and in pictures: no `=`, no comma, no control character.
NAME = re.compile(r"\w[\w .+-]{0,63}")


def check_names(names: Sequence[Any], where: str) -> None:
    """Raises LmedgeError for names of attributes that are none, of `where` they stand."""
    if not 0 < len(names) <= MOST_ATTRIBUTES:
        raise LmedgeError(f"{where} has {len(names)} attributes; take 1 to {MOST_ATTRIBUTES}.")
    for name in names:
        if not isinstance(name, str) or not NAME.fullmatch(name):
            raise LmedgeError(f"{where} has {name!r:.80} for the name of an attribute; take letters, digits and _.")
    if len(set(names)) < len(names):
        twice = next(name for name in names if list(names).count(name) > 1)
        raise LmedgeError(f"{where} has the attribute {twice!r} twice; leave one of them.")


def asked_values(asked: Sequence[str] | None, option: str) -> dict[str, float]:
    """What `NAME=VALUE ...` of an `option` says, VALUE from -1 (no) to 1 (yes); None: nothing. Raises UsageError for
    anything else."""
    values: dict[str, float] = {}
    if asked is not None and not asked:
        raise UsageError(f"{option} says nothing; say NAME=VALUE, from -1 (no) to 1 (yes), such as Smiling=1.")
    for each in asked or ():
        name, equals, written = each.rpartition("=")
        try:
            value = float(written)
        except ValueError:
            equals = ""
        if not equals or not NAME.fullmatch(name) or not -1 <= value <= 1:
            raise UsageError(f"{option} {each!r:.80}: say NAME=VALUE, from -1 (no) to 1 (yes), such as Smiling=1.")
        if name in values:
            raise UsageError(f"{option} says {name} twice; take one of them.")
        values[name] = value
    return values
