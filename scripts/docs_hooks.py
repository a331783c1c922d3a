"""What MkDocs takes in that does not stand in docs/: the command line, made from the table of verbs, and the pages that
stand elsewhere in the repository."""

import os
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

from lmedge.option_help import FILE, OF_EVERY_VERB, OptionHelp, described, explanation, usage
from lmedge.verbs import VERBS

ROOT = Path(__file__).resolve().parents[1]
COMMAND_LINE = "reference/command-line.md"
# Page -> the file that it shows.
TAKEN_IN = {
    "how-to/android.md": "android_demo/README.md",
    "project/changelog.md": "CHANGELOG.md",
    "project/contributing.md": "CONTRIBUTING.md",
    "project/security.md": "SECURITY.md",
    "results/model-card.md": "lmedge/pretrained/README.md",
}
FLAG = re.compile(r"(?<![`\w-])--[a-z][a-z-]*")
BAR = re.compile(r"(`[^`]*`)|\|")
LINK = re.compile(r"(\]\()([^)#\s:]+)(#[^)\s]*)?(\))")
INTRODUCTION = """# Command line

`lmedge VERB --help` says the same in the terminal. Every verb also takes `--dry-run` (print the resolved options as
JSON and stop), `--options FILE` (take options from such a JSON; what the command line says wins) and `--debug` (show
the traceback of a failure). `lmedge completion` completes all of it in your shell.

Exit codes: 0; 1 for a run that failed; 2 for a wrong call; 130 for one that was stopped.
"""


def on_files(files: Files, config: Any) -> Files:
    """Adds the pages."""
    files.append(File.generated(config, COMMAND_LINE, content=command_line()))
    for page, source in TAKEN_IN.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        files.append(File.generated(config, page, content=moved(text, source, page)))
    return files


def moved(text: str, source: str, page: str) -> str:
    """A text of the repository as a page: its links lead from there to where they led."""
    at_page = {there: here for here, there in TAKEN_IN.items()}

    def link(match: re.Match[str]) -> str:
        target = os.path.normpath(Path(source).parent / match[2])
        target = at_page.get(target, target.removeprefix("docs/"))
        return match[1] + os.path.relpath(target, Path(page).parent) + (match[3] or "") + match[4]

    return LINK.sub(link, text)


def command_line() -> str:
    """The page of the command line: of each verb what its help says."""
    overview = ["| verb | what it does |", "|---|---|"]
    overview += [
        _cells(f"[`{name}`](#{name})", _prose(explanation(verb.options)[0][0])) for name, verb in VERBS.items()
    ]
    verbs = [_verb(name, verb.options) for name, verb in VERBS.items()]
    return "\n\n".join([INTRODUCTION, "\n".join(overview), *verbs]) + "\n"


def _verb(name: str, kind: Any) -> str:
    paragraphs, examples = explanation(kind)
    options = [option for option in described(kind) if option.name not in (*OF_EVERY_VERB, FILE.name)]
    parts = [f"## {name}", f"```text\n{usage(kind, name).removeprefix('usage: ')}\n```", *map(_prose, paragraphs)]
    if examples:
        parts.append("```sh\n" + "\n".join(examples) + "\n```")
    if options:
        parts.append("\n".join(["| option | what it does |", "|---|---|", *map(_row, options)]))
    return "\n\n".join(parts)


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
    return FLAG.sub(r"`\g<0>`", text)
