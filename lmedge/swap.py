"""New files take the place of old ones in a folder, all of them or none, whenever that is killed."""

import os
import shutil
from pathlib import Path, PurePosixPath

from lmedge.errors import LmedgeError
from lmedge.manifest import MANIFEST, SWAP, listed_files
from lmedge.owner import Owner


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
        complete(path)
    finally:
        owner.release()


def complete(path: Path) -> None:
    """Puts the files of a swap in their place and deletes those that they replace. May be killed and repeated: the old
    manifest goes last."""
    swap = path / SWAP
    if not os.path.lexists(swap):
        return
    # Whoever gave us the folder may have put it there: nothing is followed, in it or to where it leads.
    strange = [place for place in (swap, *swap.rglob("*")) if place.is_symlink()] if is_folder(swap) else [swap]
    if strange:
        raise LmedgeError(f"{strange[0]} is not lmedge's; delete it.")
    if (swap / MANIFEST).is_file():
        new, old = listed_files(swap), listed_files(path)
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
    if any(not is_folder(folder) for folder in folders) or is_folder(path / file):
        return
    (path / file).unlink(missing_ok=True)
    for folder in folders:
        if any(folder.iterdir()):
            return
        folder.rmdir()


def _folders(path: Path, file: str) -> list[Path]:
    """The folders below `path` in which a listed file lies, the innermost first."""
    return [path / parent for parent in PurePosixPath(file).parents][:-1]


def is_folder(path: Path) -> bool:
    """Is `path` a folder, and no link to one?"""
    return path.is_dir() and not path.is_symlink()
