"""Folders that verbs write: one owner at a time, nothing of anybody else deleted, old or new always whole.

A verb's files are made in a hidden folder (beside one that is absent, inside of one that is there) and take their place
when all of them are whole. A hidden manifest says which files are lmedge's; only these are ever replaced or deleted.
"""

import errno
import fnmatch
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from lmedge import __version__
from lmedge.errors import LmedgeError, UsageError
from lmedge.owner import LOCK_FILE, Owner, writable
from lmedge.storage import read_json, write_json

MANIFEST = ".lmedge.json"
PARTIAL = ".lmedge.partial"  # what is being made: a note and
FILES = "files"
SWAP = ".lmedge.swap"  # whole; takes the place of what was there
HIDDEN = (MANIFEST, f".{MANIFEST}.tmp", PARTIAL, SWAP, LOCK_FILE)
OF_THE_DISK = ("lost+found",)
TRIES = 100  # to own a folder that others put in its place and take away, or that takes no file, such as /proc


@dataclass(frozen=True)
class _Output:
    """A folder to be written: where it really is, what the user calls it, `kind` of its content, and its option."""

    path: Path
    shown: str
    kind: str


@contextmanager
def making_folder(
    path: Path,
    kind: str,
    overwrite: bool,
    *,
    names: tuple[str, ...] = (),
    resume: dict[str, Any] | None = None,
    adopt: tuple[str, ...] = (),
    option: str = "--out ",
) -> Iterator[Path]:
    """Yields an empty folder to fill; its files become those of `path` when the block ends well. Until then, and
    whenever the block fails or is killed, `path` stays as it was.

    `kind` says what it is to hold, such as "a bundle". With `overwrite` the files of an older one of the same kind are
    replaced. `names` are patterns of what the block writes at the top of the folder: a stranger's file of such a name
    is refused before the work, all others stay. `resume`, JSON values, marks work that may be continued: what an
    earlier block with the same `kind`, `resume` and `overwrite` left is yielded again. `adopt` are patterns of files
    that are lmedge's even where no manifest says so, as in a folder inside of a run. `option` stands before `path` in
    refusals.

    Raises UsageError where the folder cannot be had, LmedgeError where another command has it.
    """
    out = _Output(real_folder(path, option), f"{option}{path}", kind)
    with _taken(out) as stage:
        if stage.parent == out.path:
            _complete(out.path)
            _check(out, overwrite, names, adopt)
        files = _begin(out, stage, overwrite, resume)
        whole = False
        try:
            yield files
            whole = True
        finally:
            if not whole and (resume is None or not any(files.iterdir())):
                shutil.rmtree(files, ignore_errors=True)
                (stage / MANIFEST).unlink(missing_ok=True)
        _publish(out, files, adopt)
        (stage / MANIFEST).unlink()


def half_made(path: Path) -> bool:
    """Is `path` being made by a command that can be continued?"""
    stages = path / PARTIAL, path.absolute().with_name(f".{path.absolute().name}.partial")
    return any((stage / MANIFEST).is_file() and "of" in read_json(stage / MANIFEST, "half-made") for stage in stages)


def check_whole(path: Path) -> None:
    """Before a folder is read, which changes nothing in it. Raises LmedgeError while new files take the place of old
    ones, and where that was killed."""
    if os.path.lexists(path / SWAP):
        raise LmedgeError(
            f"{path} is being replaced, or that was killed halfway ({SWAP} lies in it); repeat the command that did."
        )


def settle(path: Path) -> None:
    """Before a folder of our own is read and then written: completes what was killed while new files took the place of
    old ones."""
    if not os.path.lexists(path / SWAP):
        return
    owner = Owner(path)
    try:
        _complete(path)
    finally:
        owner.release()


def check_folder(path: Path, kind: str, overwrite: bool, *, names: tuple[str, ...] = (), adopt: tuple[str, ...] = (),
                 option: str = "--out ") -> None:  # fmt: skip
    """Refuses now what `making_folder` would refuse later. Raises UsageError, LmedgeError."""
    out = _Output(real_folder(path, option), f"{option}{path}", kind)
    with _taken(out) as stage:
        if stage.parent == out.path:
            _complete(out.path)
            _check(out, overwrite, names, adopt)


def real_folder(path: Path, option: str) -> Path:
    """Where a folder to be written lies, which may be absent. Raises UsageError for files and links to nowhere."""
    try:
        real = path.absolute().resolve()
        exists = real.exists()
    except (OSError, RuntimeError) as error:  # a name that is too long, links in a circle, a folder that is gone
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0][:80]
        raise UsageError(f"{option}{str(path)[:200]} cannot be a folder ({reason}); name another one.") from None
    if real.name in HIDDEN or SWAP in real.parts:  # what is being made may have such folders inside
        raise UsageError(f"{option}{path} lies where lmedge keeps what it is at; name another folder.")
    if exists and not real.is_dir():
        raise UsageError(f"{option}{path} is a file; name a folder.")
    if path.is_symlink() and not path.exists():
        raise UsageError(f"{option}{path} is a link to {real}, which is not there; make that folder first.")
    return real


@contextmanager
def _taken(out: _Output) -> Iterator[Path]:
    """The hidden folder of what is being made, and with it the folder itself: owned while the block runs."""
    for _ in range(TRIES):
        there = out.path.is_dir()
        stage = out.path / PARTIAL if there else out.path.with_name(f".{out.path.name}.partial")
        home = out.path if there else stage
        with writable(Path(out.shown)):
            home.mkdir(parents=True, exist_ok=True)
        try:
            owner = Owner(home, Path(out.shown))
        except FileNotFoundError:  # another command has just put what it made in its place
            continue
        try:
            if out.path.is_dir() == there:
                stage.mkdir(exist_ok=True)
                yield stage
                return
        finally:
            try:
                if there:  # while it is owned
                    _remove_empty(stage)
            finally:
                owner.release()
            if not there:  # it held the lock; if somebody else owns it by now it is not empty
                _remove_empty(stage)
    raise UsageError(f"{out.shown} takes no files; name another folder.")


def _remove_empty(folder: Path) -> None:
    with suppress(OSError):  # what can be continued stays
        folder.rmdir()


def _check(out: _Output, overwrite: bool, names: tuple[str, ...], adopt: tuple[str, ...]) -> None:
    """Refuses a folder that is there and holds something. Raises UsageError."""
    entries = [entry for entry in sorted(out.path.iterdir()) if entry.name not in (*HIDDEN, *OF_THE_DISK)]
    if not entries:
        return
    known, kind = _known(out.path, adopt)
    if kind is None and not known:
        raise not_ours(out.shown, entries[0])
    if kind not in (None, out.kind):
        raise UsageError(f"{out.shown} holds {kind}, which is not replaced by {out.kind}; name another folder.")
    if not overwrite:
        raise UsageError(f"{out.shown} exists and is not empty; add --overwrite or name another folder.")
    for entry in entries:
        if any(fnmatch.fnmatch(entry.name, pattern) for pattern in names):
            _refuse_strangers(out, entry, known)


def not_ours(shown: str, entry: Path) -> UsageError:
    """A folder holds `entry`, and nothing says that lmedge wrote it."""
    return UsageError(
        f"{shown} holds {entry.name}, and no {MANIFEST} says that lmedge wrote it, so it is left alone; name another "
        "folder, or empty this one yourself."
    )


def _refuse_strangers(out: _Output, entry: Path, known: set[str]) -> None:
    inside = [file for file in entry.rglob("*") if not file.is_dir()] if _is_folder(entry) else [entry]
    for file in inside:
        if file.relative_to(out.path).as_posix() not in known:
            raise UsageError(f"{out.shown} holds {file.relative_to(out.path)}, which lmedge did not write and would "
                             "have to replace; move it away or name another folder.")  # fmt: skip


def _begin(out: _Output, stage: Path, overwrite: bool, resume: dict[str, Any] | None) -> Path:
    """Makes the folder of the files, empty but for what is continued."""
    note, files = stage / MANIFEST, stage / FILES
    before = read_json(note, "half-made") if note.is_file() else None
    if before is None and any(entry.name not in HIDDEN for entry in stage.iterdir()):
        raise UsageError(f"{stage} is in the way and not lmedge's; move it away.")
    now: dict[str, Any] = {"kind": out.kind, "lmedge": __version__}
    if resume is not None:
        now |= {"of": resume, "again": overwrite}  # whoever adds --overwrite wants to begin again
    if before is not None:
        if resume is not None and files.is_dir() and {**before, "lmedge": __version__} == now:
            return files
        if "of" in before and not overwrite:
            raise UsageError(
                f"{out.shown} is half made with other options or other input; repeat that command, add --overwrite, or "
                "name another folder."
            )
        shutil.rmtree(files, ignore_errors=True)
    write_json(note, now)
    files.mkdir()
    return files


def _publish(out: _Output, files: Path, adopt: tuple[str, ...]) -> None:
    """Puts what is whole in its place."""
    new = _files(files)
    write_json(files / MANIFEST, {"kind": out.kind, "lmedge": __version__, "files": new})
    if files.parent.parent != out.path:
        try:
            files.rename(out.path)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
                raise
            raise LmedgeError(f"{out.shown} was made by somebody else in the meantime; {files} is whole.") from None
        return
    known, kind = _known(out.path, adopt)
    folders = {out.path / parent for file in new for parent in PurePosixPath(file).parents} - {out.path}
    strange = [folder for folder in sorted(folders) if os.path.lexists(folder) and not _is_folder(folder)]
    at = {file: out.path / file for file in new}
    strange += [path for file, path in at.items() if _is_folder(path) or (file not in known and os.path.lexists(path))]
    if strange:
        raise LmedgeError(f"{strange[0]} is in the way and not lmedge's; move it away.")
    if kind is None:
        write_json(out.path / MANIFEST, {"kind": out.kind, "lmedge": __version__, "files": sorted(known)})
    files.rename(out.path / SWAP)  # from here on the new files win
    _complete(out.path)


def _complete(path: Path) -> None:
    """Puts the files of a swap in their place and deletes those that they replace. May be killed and repeated: the old
    manifest goes last."""
    swap = path / SWAP
    if not os.path.lexists(swap):
        return
    # Whoever gave us the folder may have put it there: nothing is followed, in it or to where it leads.
    strange = [place for place in (swap, *swap.rglob("*")) if place.is_symlink()] if _is_folder(swap) else [swap]
    if strange:
        raise LmedgeError(f"{strange[0]} is not lmedge's; delete it.")
    if (swap / MANIFEST).is_file():
        new, old = _listed(swap), _listed(path) if (path / MANIFEST).is_file() else set()
        for file in sorted(new):
            if (swap / file).exists():
                if linked := [folder for folder in _folders(path, file) if folder.is_symlink()]:
                    raise LmedgeError(f"{linked[0]} is in the way and not lmedge's; move it away.")
                (path / file).parent.mkdir(parents=True, exist_ok=True)
                (swap / file).replace(path / file)
        for file in sorted(old - new, reverse=True):
            _delete(path, file)
        (swap / MANIFEST).replace(path / MANIFEST)
    shutil.rmtree(swap)


def _delete(path: Path, file: str) -> None:
    """Deletes a listed file and the folders that it leaves empty; nothing behind a link."""
    folders = _folders(path, file)
    if any(not _is_folder(folder) for folder in folders) or _is_folder(path / file):
        return
    (path / file).unlink(missing_ok=True)
    for folder in folders:
        if any(folder.iterdir()):
            return
        folder.rmdir()


def _folders(path: Path, file: str) -> list[Path]:
    """The folders below `path` in which a listed file lies, the innermost first."""
    return [path / parent for parent in PurePosixPath(file).parents][:-1]


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _files(folder: Path) -> list[str]:
    """All files below a folder but the hidden ones of this module, relative to it."""
    found = []
    for place, folders, names in os.walk(folder):
        if Path(place) == folder:
            folders[:], names = ([name for name in some if name not in HIDDEN] for some in (folders, names))
        found += [(Path(place) / name).relative_to(folder).as_posix() for name in names]
    return sorted(found)


def _known(path: Path, adopt: tuple[str, ...]) -> tuple[set[str], str | None]:
    """The files in a folder that are lmedge's, and the kind that its manifest names; None without one."""
    if (path / MANIFEST).is_file():
        return _listed(path), str(read_json(path / MANIFEST, "the list of lmedge's files").get("kind"))
    return {file for file in _files(path) if any(fnmatch.fnmatch(file, pattern) for pattern in adopt)}, None


def _listed(path: Path) -> set[str]:
    """What a manifest lists. Raises LmedgeError for names that lead out of the folder."""
    files: Any = read_json(path / MANIFEST, "the list of lmedge's files", {"kind": str, "files": list})["files"]
    for file in files:
        parts = PurePosixPath(file).parts if isinstance(file, str) else ()
        if not parts or ".." in parts or file.startswith("/") or "\\" in file or parts[0] in HIDDEN:
            raise LmedgeError(f"{path / MANIFEST} lists {file!r}, which is no file of the folder; delete the manifest.")
    return set(files)
