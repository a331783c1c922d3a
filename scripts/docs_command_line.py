"""The page of the command line, made from the table of verbs: of each what its help says."""

import re
from collections.abc import Iterable

from lmedge.option_help import FILE, OF_EVERY_VERB, OptionHelp, described, explanation, usage
from lmedge.options import Stage
from lmedge.verb import Verb

FLAG = re.compile(r"(`[^`]*`)|(?<![\w-])--[a-z][a-z-]*")  # one between backticks is code already
BAR = re.compile(r"(`[^`]*`)|\|")
INTRODUCTION = """# Command line

`lmedge VERB --help` says the same in the terminal. Every verb also takes `--dry-run` (print the resolved options as
JSON and stop), `--options FILE` (take options from such a JSON; what the command line says wins) and `--debug` (show
the traceback of a failure). `lmedge completion` completes all of it in your shell.

Exit codes: 0; 1 for a run that failed; 2 for a wrong call; 130 for one that was stopped.
"""


def command_line(verbs: Iterable[Verb]) -> str:
    """The page. Options that a word such as `--family began` adds stand below the verb, under that word."""
    verbs = list(verbs)
    overview = ["| verb | what it does |", "|---|---|"]
    overview += [_cells(f"[`{verb.name}`](#{verb.name})", _prose(verb.summary)) for verb in verbs]
    return "\n\n".join([INTRODUCTION, "\n".join(overview), *map(_verb, verbs)]) + "\n"


def _verb(verb: Verb) -> str:
    options = described(verb.options)
    if verb.choice:  # its default is that of who is chosen without a word
        chosen = {option.written: option for option in described(verb.kind([]))}[verb.choice.option]
        options = [chosen if option.written == chosen.written else option for option in options]
    head = f"## {verb.name}\n\n```text\n{usage(verb.options, verb.name).removeprefix('usage: ')}\n```"
    kinds = [_kind(verb, words, kind) for words, kind in verb.kinds().items() if words]
    return "\n\n".join([head, *_told(*explanation(verb.options), options), *kinds])


def _kind(verb: Verb, words: tuple[str, ...], kind: type[Stage]) -> str:
    """What one class of options says that the verb's own does not."""
    (paragraphs, examples), (told, shown) = explanation(kind), explanation(verb.options)
    shared = {*described(verb.options), *(option for option in described(kind) if option.written in words)}
    own = ([text for text in paragraphs if text not in told], [line for line in examples if line not in shown])
    options = [option for option in described(kind) if option not in shared]
    return "\n\n".join([f"### {verb.name} {' '.join(words)}", *_told(*own, options)])


def _told(paragraphs: list[str], examples: list[str], options: list[OptionHelp]) -> list[str]:
    parts = [*map(_prose, paragraphs)]
    if examples:
        parts.append("```sh\n" + "\n".join(examples) + "\n```")
    if options := [option for option in options if option.name not in (*OF_EVERY_VERB, FILE.name)]:
        parts.append("\n".join(["| option | what it does |", "|---|---|", *map(_row, options)]))
    return parts


def _row(option: OptionHelp) -> str:
    written = option.written if option.positional else f"{option.written} {option.metavar}".strip()
    default = option.default.replace("(default: ", "(default: `").replace(")", "`)") if ":" in option.default else ""
    behind = " *(required)*" if option.default == "(required)" else f" {default}".rstrip()
    return _cells(f"`{written.replace(',', ', ')}`", _prose(option.explanation) + behind)  # folded there on a phone


def _cells(*cells: str) -> str:
    """A row. A bar between backticks is none of the table's."""
    return "| " + " | ".join(BAR.sub(lambda found: found[1] or "\\|", cell) for cell in cells) + " |"


def _prose(text: str) -> str:
    """A text of the help, in which options are code."""
    return FLAG.sub(lambda found: found[1] or f"`{found[0]}`", text)
