"""Text from files of strangers on a terminal: what would steer it is shown, not done."""

import builtins
from typing import Any


def printable(text: str) -> str:
    """`text` with control characters, and others that cannot be seen or change the direction of writing, as escapes;
    line ends and tabs stay."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode() for c in text)


def print_text(*values: Any, **options: Any) -> None:
    """`print`, made printable."""
    builtins.print(*(printable(str(value)) for value in values), **options)
