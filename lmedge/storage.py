"""Writing files so that a kill, a full disk or a second run loses nothing: write beside, then rename."""

import io
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmedge.errors import LmedgeError, UsageError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yields a path beside `path` to write to; renames it to `path` when the block ends well and removes
    it when it does not, so that `path` is always absent, the old file, or the whole new one."""
    beside = path.with_name(f".{path.name}.tmp")
    try:
        yield beside
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def write_bytes(path: Path, data: bytes) -> None:
    """Writes `data` to `path` in one step. Raises OSError, with `path` untouched."""
    with replacing(path) as beside, beside.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Writes arrays by name as an .npz file in one step."""
    # Through memory: a zip file that meets a full disk complains once more when it is closed.
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    write_bytes(path, buffer.getvalue())


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays of an .npz file. Nothing is unpickled. Raises ValueError for a damaged file."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except Exception as error:  # zipfile, zlib and NumPy each raise their own
        raise ValueError(str(error)) from error


def write_json(path: Path, value: Any) -> None:
    """Writes `value` as indented JSON in one step."""
    write_bytes(path, (json.dumps(value, indent=2) + "\n").encode())


def read_json(path: Path, what: str) -> dict[str, Any]:
    """The JSON object in `path`. `what` names the file's role in the refusal.

    Raises LmedgeError when the file is missing, is not JSON, or holds something other than an object.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise LmedgeError(f"{path} is missing, so this is not {what}.") from None
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise LmedgeError(f"{path} is not JSON ({error}); {what} was damaged or edited by hand.") from None
    if not isinstance(value, dict):
        raise LmedgeError(f"{path} holds no JSON object; {what} was damaged or edited by hand.")
    return value


def check_folder(path: Path, markers: tuple[str, ...], overwrite: bool) -> None:
    """Refuses an output folder that holds anything.

    With `overwrite` it may be replaced, but only when one of `markers`, the files that this verb leaves
    behind, shows that it is a folder of ours. Raises UsageError.
    """
    if path.exists() and not path.is_dir():
        raise UsageError(f"--out {path} is a file; name a folder.")
    if not path.is_dir() or not any(path.iterdir()):
        return
    if not overwrite:
        raise UsageError(f"--out {path} exists and is not empty; add --overwrite or name another folder.")
    if not any((path / marker).exists() for marker in markers):
        raise UsageError(
            f"--out {path} holds none of {', '.join(markers)}, so --overwrite will not delete it; name another folder."
        )


def cache_folder() -> Path:
    """Where what is fetched is kept: `$XDG_CACHE_HOME/lmedge`, or `~/.cache/lmedge`. It may not exist yet."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lmedge"


def claim_folder(path: Path, markers: tuple[str, ...], overwrite: bool) -> None:
    """Makes the output folder `path`, empty, under the conditions of `check_folder`."""
    check_folder(path, markers, overwrite)
    if path.is_dir():
        shutil.rmtree(path)
    path.mkdir(parents=True)


@contextmanager
def making_folder(path: Path, markers: tuple[str, ...], overwrite: bool) -> Iterator[Path]:
    """Yields an empty folder beside `path` to fill; it becomes `path` when the block ends well. Until then an
    old folder stays as it was. Conditions and errors of `check_folder`."""
    check_folder(path, markers, overwrite)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.partial")
    shutil.rmtree(beside, ignore_errors=True)  # of a run that was killed
    beside.mkdir()
    try:
        yield beside
        if path.is_dir():
            shutil.rmtree(path)
        beside.rename(path)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def claim_file(path: Path, overwrite: bool) -> None:
    """Refuses an output file that exists, unless `overwrite`; makes its folder. Raises UsageError."""
    if path.is_dir():
        raise UsageError(f"--out {path} is a folder; name a file.")
    if path.exists() and not overwrite:
        raise UsageError(f"--out {path} exists; add --overwrite or name another file.")
    path.parent.mkdir(parents=True, exist_ok=True)
