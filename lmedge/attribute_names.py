"""Names of what a face may show, such as Smiling. Needs no more than Python, as it runs on the device."""

import re
from collections.abc import Sequence
from typing import Any

from lmedge.errors import LmedgeError

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
