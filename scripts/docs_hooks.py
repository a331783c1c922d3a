"""What MkDocs takes in that does not stand in docs/: the command line, made from the table of verbs, and the pages that
stand elsewhere in the repository."""

import os
import re
from pathlib import Path
from typing import Any

from docs_command_line import command_line
from mkdocs.structure.files import File, Files

from lmedge.verbs import VERBS

ROOT = Path(__file__).resolve().parents[1]
COMMAND_LINE = "reference/command-line.md"
# Page -> the file that it shows.
TAKEN_IN = {
    "how-to/android.md": "android_demo/README.md",
    "project/changelog.md": "CHANGELOG.md",
    "project/contributing.md": "CONTRIBUTING.md",
    "project/security.md": "SECURITY.md",
    "results/model-card.md": "lmedge/pretrained/reference/README.md",
    "results/student-card.md": "lmedge/pretrained/student/README.md",
}
LINK = re.compile(r"(\]\()([^)#\s:]+)(#[^)\s]*)?(\))")


def on_files(files: Files, config: Any) -> Files:
    """Adds the pages."""
    files.append(File.generated(config, COMMAND_LINE, content=command_line(VERBS.values())))
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
