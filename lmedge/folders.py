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
from lmedge.manifest import (
    HIDDEN,
    MANIFEST,
    PARTIAL,
    SWAP,
    files_below,
    kind_of,
    not_ours,
    own_files,
    visible,
    write_manifest,
)
from lmedge.owner import Owner, make_folder
from lmedge.storage import read_json, write_json
from lmedge.swap import complete, is_folder
from lmedge.url import Url
from lmedge.url_folder import making_url

FILES = "files"  # of what is being made, beside its note
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
    refusals. In an object store it is made in its place, see `making_url`.

    Raises UsageError where the folder cannot be had, LmedgeError where another command has it.
    """
    if isinstance(path, Url):
        with making_url(path, kind, overwrite, resume, option) as place:
            yield place
        return
    out = _Output(real_folder(path, option), f"{option}{path}", kind)
    with _taken(out) as stage:
        if stage.parent == out.path:
            complete(out.path)
            _check(out, overwrite, names, adopt)
        files = _begin(out, stage, overwrite, resume)
        whole = False
        try:
            yield files
            whole = True
        finally:
            if not whole and (resume is None or not files_below(files)):
                shutil.rmtree(files, ignore_errors=True)
                (stage / MANIFEST).unlink(missing_ok=True)
        _publish(out, files, adopt)
        (stage / MANIFEST).unlink()


def half_made(path: Path) -> bool:
    """Is `path` being made by a command that can be continued?"""
    real = path.absolute()
    stages = path / PARTIAL, real.parent / f".{real.name}.partial"  # / has no name
    return any((stage / MANIFEST).is_file() and "of" in read_json(stage / MANIFEST, "half-made") for stage in stages)


def check_folder(path: Path, kind: str, overwrite: bool, *, names: tuple[str, ...] = (), adopt: tuple[str, ...] = (),
                 option: str = "--out ") -> None:  # fmt: skip
    """Refuses now what `making_folder` would refuse later. Raises UsageError, LmedgeError."""
    out = _Output(real_folder(path, option), f"{option}{path}", kind)
    with _taken(out) as stage:
        if stage.parent == out.path:
            complete(out.path)
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
        make_folder(home, Path(out.shown))
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
    entries = visible(out.path)
    if not entries:
        return
    known, kind = own_files(out.path, adopt), kind_of(out.path)
    if kind is None and not known:
        raise not_ours(out.shown, entries[0])
    if kind not in (None, out.kind):
        raise UsageError(f"{out.shown} holds {kind}, which is not replaced by {out.kind}; name another folder.")
    if not overwrite:
        raise UsageError(f"{out.shown} exists and is not empty; add --overwrite or name another folder.")
    for entry in entries:
        if any(fnmatch.fnmatch(entry.name, pattern) for pattern in names):
            _refuse_strangers(out, entry, known)


def _refuse_strangers(out: _Output, entry: Path, known: set[str]) -> None:
    inside = [file for file in entry.rglob("*") if not file.is_dir()] if is_folder(entry) else [entry]
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
    new = files_below(files)
    write_manifest(files, out.kind, new)
    if files.parent.parent != out.path:
        try:
            files.rename(out.path)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
                raise
            raise LmedgeError(f"{out.shown} was made by somebody else in the meantime; {files} is whole.") from None
        return
    known = own_files(out.path, adopt)
    folders = {out.path / parent for file in new for parent in PurePosixPath(file).parents} - {out.path}
    strange = [folder for folder in sorted(folders) if os.path.lexists(folder) and not is_folder(folder)]
    at = {file: out.path / file for file in new}
    strange += [path for file, path in at.items() if is_folder(path) or (file not in known and os.path.lexists(path))]
    if strange:
        raise LmedgeError(f"{strange[0]} is in the way and not lmedge's; move it away.")
    if kind_of(out.path) is None:
        write_manifest(out.path, out.kind, known)
    files.rename(out.path / SWAP)  # from here on the new files win
    complete(out.path)
