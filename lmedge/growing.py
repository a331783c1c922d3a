"""The folder of a study or a demo: work of hours that is continued, and to which later commands add."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lmedge.errors import UsageError
from lmedge.folders import real_folder
from lmedge.manifest import MANIFEST, kind_of, not_ours, visible, write_manifest
from lmedge.owner import Owner, make_folder

OLD = ".lmedge.old"  # what --overwrite replaces, until the new one is whole
ASIDE = ".lmedge.aside"  # the same, not yet all of it


@contextmanager
def growing_folder(path: Path, kind: str, entries: tuple[str, ...], overwrite: bool) -> Iterator[None]:
    """Owns the folder `path`, made if it is absent, while the block adds to it. `entries` are the names that the block
    writes at its top; what lies below them is lmedge's, everything else is left alone. The first one marks the folder.

    With `overwrite` the block finds none of them; they are kept, hidden, and deleted when it ends well. Raises
    UsageError for a folder of something else, LmedgeError where another command has it.
    """
    real, shown = real_folder(path, "--out "), Path(f"--out {path}")
    made = not real.exists()
    make_folder(real, shown)
    owner = Owner(real, shown)
    try:
        _put_back(real)
        _claim(real, shown, kind, entries, overwrite)
        try:
            yield
        except BaseException:
            if not any((real / entry).exists() for entry in entries):  # refused before anything was done
                (real / MANIFEST).unlink(missing_ok=True)
            raise
        _delete(real, OLD)
    finally:
        owner.release()
        if made and not any(real.iterdir()):
            real.rmdir()


def _claim(real: Path, shown: Path, kind: str, entries: tuple[str, ...], overwrite: bool) -> None:
    others, known = [entry for entry in visible(real) if entry.name != OLD], kind_of(real)
    if others and known is None and (overwrite or not _has(real, entries[0])):
        raise not_ours(str(shown), others[0])
    if known not in (None, kind):
        raise UsageError(f"{shown} holds {known}, not {kind}; name another folder.")
    if known is None:
        write_manifest(real, kind, ())
    if overwrite and any(_has(real, entry) for entry in entries):
        if _has(real, OLD):  # of an --overwrite that was killed; what came after it is no more wanted
            for entry in entries:
                _delete(real, entry)
            return
        (real / ASIDE).mkdir()
        for entry in entries:
            if _has(real, entry):
                (real / entry).rename(real / ASIDE / entry)
        (real / ASIDE).rename(real / OLD)


def _put_back(real: Path) -> None:
    """Undoes a move that was killed halfway."""
    if _has(real, ASIDE):
        for entry in (real / ASIDE).iterdir():
            entry.rename(real / entry.name)
        (real / ASIDE).rmdir()


def _has(folder: Path, name: str) -> bool:
    return (folder / name).exists()


def _delete(folder: Path, name: str) -> None:
    path = folder / name
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
