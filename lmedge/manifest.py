"""The hidden list in a folder that says which of its files are lmedge's; only these are ever replaced or deleted."""

import fnmatch
import os
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Any

from lmedge import __version__
from lmedge.errors import LmedgeError, UsageError
from lmedge.owner import LOCK_FILE
from lmedge.storage import read_json, write_json

MANIFEST = ".lmedge.json"
PARTIAL = ".lmedge.partial"  # what is being made
SWAP = ".lmedge.swap"  # whole; takes the place of what was there
HIDDEN = (MANIFEST, f".{MANIFEST}.tmp", PARTIAL, SWAP, LOCK_FILE)
OF_THE_DISK = ("lost+found",)


def write_manifest(folder: Path, kind: str, files: Iterable[str]) -> None:
    """Says that `folder` is of a kind, such as "a bundle", and which files in it are lmedge's."""
    write_json(folder / MANIFEST, {"kind": kind, "lmedge": __version__, "files": sorted(files)})


def kind_of(folder: Path) -> str | None:
    """What a manifest says that `folder` is; None without one."""
    if not (folder / MANIFEST).is_file():
        return None
    return str(read_json(folder / MANIFEST, "the list of lmedge's files").get("kind"))


def listed_files(path: Path) -> set[str]:
    """What a manifest lists; nothing without one. Raises LmedgeError for names that lead out of the folder."""
    if not (path / MANIFEST).is_file():
        return set()
    files: Any = read_json(path / MANIFEST, "the list of lmedge's files", {"kind": str, "files": list})["files"]
    for file in files:
        parts = PurePosixPath(file).parts if isinstance(file, str) else ()
        if not parts or ".." in parts or file.startswith("/") or "\\" in file or parts[0] in HIDDEN:
            raise LmedgeError(f"{path / MANIFEST} lists {file!r}, which is no file of the folder; delete the manifest.")
    return set(files)


def own_files(path: Path, adopt: tuple[str, ...]) -> set[str]:
    """The files in a folder that are lmedge's: those of its manifest, or without one those of these patterns."""
    if (path / MANIFEST).is_file():
        return listed_files(path)
    return {file for file in files_below(path) if any(fnmatch.fnmatch(file, pattern) for pattern in adopt)}


def files_below(folder: Path) -> list[str]:
    """All files below a folder but the hidden ones, relative to it."""
    found = []
    for place, folders, names in os.walk(folder):
        if Path(place) == folder:
            folders[:], names = ([name for name in some if name not in HIDDEN] for some in (folders, names))
        found += [(Path(place) / name).relative_to(folder).as_posix() for name in names]
    return sorted(found)


def visible(folder: Path) -> list[Path]:
    """What lies in a folder, by name, but for what lmedge and the disk keep there."""
    return [entry for entry in sorted(folder.iterdir())
            if entry.name not in (*HIDDEN, *OF_THE_DISK) and not entry.name.startswith(".lmedge.")]  # fmt: skip


def not_ours(shown: str, entry: Path) -> UsageError:
    """A folder holds `entry`, and nothing says that lmedge wrote it."""
    return UsageError(
        f"{shown} holds {entry.name}, and no {MANIFEST} says that lmedge wrote it, so it is left alone; name another "
        "folder, or empty this one yourself."
    )
