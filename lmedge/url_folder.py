"""A folder of an object store that a verb writes: as `lmedge.folders`, where nothing can be renamed or locked."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from lmedge import __version__
from lmedge.errors import UsageError
from lmedge.manifest import HIDDEN, MANIFEST, PARTIAL, kind_of, listed_files, not_ours, write_manifest
from lmedge.storage import read_json, write_json
from lmedge.url import Url


@contextmanager
def making_url(
    out: Url, kind: str, overwrite: bool, resume: dict[str, Any] | None, option: str = "--out "
) -> Iterator[Url]:
    """Yields `out` to be filled. Its objects are in their place from the beginning; a hidden note among them says what
    is being made, and goes when the list of them, which is put last, says that all are there.

    See `making_folder`; but an older folder is deleted before the new one is made, and only where nothing else lies
    in it, and two commands at one place are not kept apart unless they make different things.
    """
    out.exists()  # what is wrong with the store is said of `out`, and not of the note
    note = out / PARTIAL / MANIFEST
    now: dict[str, Any] = {"kind": kind, "lmedge": __version__, "of": resume, "again": overwrite}
    before = read_json(note, "half-made") if note.exists() else None
    if before is not None and (out / MANIFEST).exists():  # killed between the two
        note.unlink()
        before = None
    if before is None or {**before, "lmedge": __version__} != now:
        _clear(out, kind, overwrite, before, f"{option}{out}")
        write_json(note, now)
    whole = False
    try:
        yield out
        whole = True
    finally:
        if not whole and not _visible(out):
            note.unlink(missing_ok=True)
    write_manifest(out, kind, _visible(out))
    note.unlink()


def _visible(out: Url) -> list[str]:
    return [file for file in out.files() if file.split("/")[0] not in HIDDEN]


def _clear(out: Url, kind: str, overwrite: bool, before: dict[str, Any] | None, shown: str) -> None:
    """Deletes what is lmedge's and is to be replaced. Raises UsageError where something else is there."""
    files = _visible(out)
    if before is not None and not overwrite:
        raise UsageError(
            f"{shown} is half made with other options or other input; repeat that command, add --overwrite, or name "
            "another place."
        )
    if before is None and files:
        there, known = kind_of(out), listed_files(out)
        if there is None:
            raise not_ours(shown, out / files[0])
        if there != kind:
            raise UsageError(f"{shown} holds {there}, which is not replaced by {kind}; name another place.")
        if not overwrite:
            raise UsageError(f"{shown} exists and is not empty; add --overwrite or name another place.")
        if strange := [file for file in files if file not in known]:
            raise UsageError(
                f"{shown} holds {strange[0]}, which lmedge did not write; move it away or name another place."
            )
    out.remove()
