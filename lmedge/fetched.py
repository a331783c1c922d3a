"""What lies in an object store, on this machine: fetched once, and again where it has changed there."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from lmedge.errors import LmedgeError, UsageError
from lmedge.manifest import MANIFEST, PARTIAL
from lmedge.storage import cache_folder
from lmedge.url import Url

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

KNOWN, LOCK, COMING = ".lmedge.fetched", ".lmedge.fetching", ".lmedge.coming"
AT_ONCE = 16  # objects; a kill loses no more


def fetched(path: Path, half_made: bool = False) -> Path:
    """`path`, or of a URL the folder of this machine, in the cache, with all that lies there. What is here and has the
    size and the digest (ETag) that the store says is not fetched again; what is gone there goes here.

    Raises UsageError where nothing lies there, LmedgeError where it is not whole, unless `half_made`.
    """
    if not isinstance(path, Url):
        return path
    there = path.tags()
    if f"{PARTIAL}/{MANIFEST}" in there and not half_made:
        raise LmedgeError(f"{path} is half made; run the command that made it again.")
    there = {file: tag for file, tag in there.items() if not file.startswith(f"{PARTIAL}/")}
    if not there:
        raise UsageError(f"{path} does not exist, or is no folder: nothing lies below it.")
    if strange := [file for file in there if ".." in file.split("/") or file.startswith(("/", KNOWN, LOCK, COMING))]:
        raise LmedgeError(f"{path / strange[0]} cannot be a file of a folder here; delete or rename it.")
    folder = _home() / path.parts[0].removesuffix(":") / Path(*path.parts[1:])
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder):
        _fetch(path, there, folder)
    return folder


def origin(path: Path) -> Path:
    """The URL that a folder was fetched from, for who fetches it on another machine; any other path as it is."""
    if _home() not in path.parents:
        return path
    scheme, *names = path.relative_to(_home()).parts
    return Url(f"{scheme}:", *names)


def _home() -> Path:
    return cache_folder() / "stores"


def _fetch(path: Url, there: dict[str, str], folder: Path) -> None:
    known = _known(folder / KNOWN)
    for gone in known.keys() - there.keys():
        (folder / gone).unlink(missing_ok=True)
    wanted = [file for file, tag in there.items() if known.get(file) != tag or not (folder / file).is_file()]
    if not wanted:
        return
    from lmedge.progress import progress  # here, as few wait for a store

    coming = folder / COMING
    with progress(f"fetch {path}", len(there), "files", len(there) - len(wanted)) as advance:
        for first in range(0, len(wanted), AT_ONCE):
            some = wanted[first : first + AT_ONCE]
            path.get(some, coming)
            for file in some:
                (folder / file).parent.mkdir(parents=True, exist_ok=True)
                (coming / file).replace(folder / file)
            with (folder / KNOWN).open("a", encoding="utf-8") as note:
                note.writelines(f"{there[file]}\t{file}\n" for file in some)
            advance(len(some))
    shutil.rmtree(coming, ignore_errors=True)


def _known(note: Path) -> dict[str, str]:
    """What has come -> its tag; the last line of a file counts, and one that a kill cut off says nothing true."""
    known = {}
    with suppress(FileNotFoundError):
        for line in note.read_text(encoding="utf-8").splitlines():
            tag, _, file = line.partition("\t")
            known[file] = tag
    return known


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Waits for others of this machine that fetch the same."""
    with (folder / LOCK).open("w") as file:
        if fcntl is not None:
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
