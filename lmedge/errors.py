"""What a user is told when something cannot be done: one sentence, no traceback."""

from collections.abc import Iterable

from lmedge.printable import printable


def nearest(name: str, known: Iterable[str], least: float = 0.6) -> str:
    """What a refusal of a name advises: the known one that is most like it, by a share of `least`, or all of them."""
    import difflib  # here, as hardly a call is wrong

    known = list(known)
    near = difflib.get_close_matches(name, known, 1, least)
    return f"did you mean {near[0]}?" if near else f"take one of {', '.join(known)}."


class LmedgeError(Exception):
    """A run that failed for a reason the user can act on. The message is one sentence that names the
    file or option, quotes the value and says what to do."""

    exit_code = 1

    def __init__(self, sentence: str):
        super().__init__(printable(sentence))


class UsageError(LmedgeError):
    """A call that cannot be carried out as written: a wrong option, a folder of the wrong kind."""

    exit_code = 2


class Stopped(LmedgeError):
    """A run that ended because it was asked to (Ctrl-C, SIGTERM), with everything saved."""

    exit_code = 130


class Rejected(Exception):
    """A photo that cannot become a face. The message is the reason in a few words, and what is particular to this
    photo after a colon; reasons are counted."""
