"""What lies in an object store, on this machine: fetched once, and again where it has changed there."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from lmedge.errors import LmedgeError, UsageError
from lmedge.manifest import MANIFEST, PARTIAL
from lmedge.owner import LOCK_FILE
from lmedge.storage import cache_folder
from lmedge.url import Url

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

KNOWN, LOCK, COMING = ".lmedge.fetched", ".lmedge.fetching", ".lmedge.coming"
MARK = ".lmedge.kept"  # of a folder that is put back, see `lmedge.kept`
AT_ONCE = 16  # objects; a kill loses no more
READ, KEPT = "stores", "kept"  # rooms of the cache: what is only read, and what is put back

kept: dict[Path, Path] = {}  # URLs that this process works at -> the folder where it does


def fetched(path: Path, half_made: bool = False, absent: bool = False) -> Path:
    """`path`, or of a URL the folder of this machine, in the cache, with all that lies there, and nothing else. What is
    here and has the size and the digest (ETag) that the store says is not fetched again. Of a URL that this process
    works at it is the folder where it does, as it stands.

    Raises UsageError where nothing lies there, unless it may be `absent`, LmedgeError where it is not whole, unless
    `half_made`.
    """
    if not isinstance(path, Url):
        return path
    if path in kept:
        return kept[path]
    there = path.tags()
    if f"{PARTIAL}/{MANIFEST}" in there and not half_made:
        raise LmedgeError(f"{path} is half made; run the command that made it again.")
    there = {file: tag for file, tag in there.items() if not file.startswith(f"{PARTIAL}/")}
    if not there and not absent:
        raise UsageError(f"{path} does not exist, or is no folder: nothing lies below it.")
    folder = folder_in(READ, path)
    fetch(path, there, folder)
    return folder


def origin(path: Path) -> Path:
    """The URL that a folder was fetched from, for who fetches it on another machine; any other path as it is."""
    for room in (READ, KEPT):
        home = cache_folder() / room
        if home in path.parents:
            scheme, *names = path.relative_to(home).parts
            return Url(f"{scheme}:", *names)
    return path


def folder_in(room: str, url: Url) -> Path:
    """Where in the cache it is."""
    return cache_folder() / room / url.parts[0].removesuffix(":") / Path(*url.parts[1:])


def fetch(path: Url, there: dict[str, str], folder: Path) -> None:
    """Makes the folder one of what lies `there`, file -> tag; raises LmedgeError for names that no file has."""
    there = {file: tag for file, tag in there.items() if not is_passing(file)}
    if strange := [file for file in there if ".." in file.split("/") or file.startswith(("/", KNOWN, LOCK, COMING))]:
        raise LmedgeError(f"{path / strange[0]} cannot be a file of a folder here; delete or rename it.")
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder):
        _fetch(path, there, folder)


def is_passing(file: str) -> bool:
    """Does it stand for somebody who is at work, and for nothing that was made?"""
    name = file.rpartition("/")[2]
    return name == LOCK_FILE or (name[:1] == "." and name.endswith(".tmp")) or file.split("/")[0] == MARK


def files_in(folder: Path) -> dict[str, os.stat_result]:
    """What lies in a folder of the cache at any depth, but for what only passes."""
    found = {}
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name not in (COMING, MARK)]
        for name in names:
            path = Path(place) / name
            file = path.relative_to(folder).as_posix()
            if name not in (KNOWN, LOCK) and not is_passing(file):
                with suppress(FileNotFoundError):
                    found[file] = path.stat()
    return found


def stamp(about: os.stat_result) -> str:
    """What tells whether a file here was written to."""
    return f"{about.st_ino} {about.st_size} {about.st_mtime_ns}"


def _fetch(path: Url, there: dict[str, str], folder: Path) -> None:
    known, here = noted(folder), {file: stamp(about) for file, about in files_in(folder).items()}
    for gone in here.keys() - there.keys():
        (folder / gone).unlink(missing_ok=True)
    wanted = [file for file, tag in there.items() if known.get(file) != (tag, here.get(file))]
    if not wanted:
        return
    from lmedge.progress import progress  # here, as few wait for a store

    coming = folder / COMING
    with progress(f"fetch {path}", len(there), "files", len(there) - len(wanted)) as advance:
        for first in range(0, len(wanted), AT_ONCE):
            some = wanted[first : first + AT_ONCE]
            path.get(some, coming)
            note(folder, {file: (there[file], stamp((coming / file).stat())) for file in some})
            for file in some:
                (folder / file).parent.mkdir(parents=True, exist_ok=True)
                (coming / file).replace(folder / file)
            advance(len(some))
    shutil.rmtree(coming, ignore_errors=True)


def note(folder: Path, same: dict[str, tuple[str, str]]) -> None:
    """Notes that files, of these tags there and these stamps here, are the same; without a tag: that one is gone."""
    with (folder / KNOWN).open("a", encoding="utf-8") as lines:
        lines.writelines(f"{tag}\t{here}\t{file}\n" for file, (tag, here) in same.items())


def noted(folder: Path) -> dict[str, tuple[str, str]]:
    """What was noted; the last line of a file counts, and one that a kill cut off says nothing true."""
    known = {}
    with suppress(FileNotFoundError):
        for line in (folder / KNOWN).read_text(encoding="utf-8").splitlines():
            if len(parts := line.split("\t", 2)) == 3:
                known[parts[2]] = (parts[0], parts[1])
    return {file: same for file, same in known.items() if same[0]}


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Waits for others of this machine that fetch the same."""
    with (folder / LOCK).open("w") as file:
        if fcntl is not None:
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
