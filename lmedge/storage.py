"""Writing files so that a kill, a full disk or a second run loses nothing: write beside, then rename; or put it whole
into an object store."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import re
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lmedge.errors import LmedgeError, UsageError
from lmedge.regular import read_regular
from lmedge.url import Url

if TYPE_CHECKING:
    from numpy.typing import NDArray

LARGEST_JSON = 64 << 20  # bytes; ours have kilobytes


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yields a path beside `path` to write to; renames it to `path` when the block ends well and removes
    it when it does not, so that `path` is always absent, the old file, or the whole new one."""
    if isinstance(path, Url):
        with tempfile.TemporaryDirectory(prefix="lmedge-") as folder:
            made = Path(folder) / path.name
            yield made
            path.put(made)
        return
    beside = path.with_name(f".{path.name}.tmp")
    try:
        yield beside
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def write_bytes(path: Path, data: bytes) -> None:
    """Writes `data` to `path` in one step. Raises OSError, with `path` untouched."""
    if isinstance(path, Url):
        path.write_bytes(data)
        return
    with replacing(path) as beside, beside.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def write_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """Writes files into a folder, which may be absent, where nothing tells yet that they are there."""
    if isinstance(folder, Url):
        folder.write_files(files)  # many at a time: each takes as long as its way there
        return
    folder.mkdir(exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)


def remove_folder(folder: Path) -> None:
    """Deletes a folder, if it is there, with all that is in it."""
    folder.remove() if isinstance(folder, Url) else shutil.rmtree(folder, ignore_errors=True)


def write_table(path: Path, rows: Iterable[Sequence[Any]]) -> None:
    """Writes a CSV file in one step, a row a line; what UTF-8 cannot say of a file's name is a question mark."""
    table = io.StringIO()
    csv.writer(table, lineterminator="\n").writerows(rows)
    write_bytes(path, table.getvalue().encode("utf-8", "replace"))


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Writes arrays by name as an .npz file in one step."""
    import numpy as np

    # Through memory: a zip file that meets a full disk complains once more when it is closed.
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    write_bytes(path, buffer.getvalue())


class Damaged(LmedgeError):
    """A file that cannot be read; `reason` says why. Who knows more of the file says what to do instead."""

    def __init__(self, sentence: str, reason: str = ""):
        self.reason = reason
        super().__init__(sentence)

    @classmethod
    def file(cls, path: Path, reason: object) -> Damaged:
        """The sentence for a file of which no more is known."""
        return cls(f"{path} is damaged ({reason}); delete it and run the same command again.", str(reason))


def read_arrays(path: Path, names: Collection[str] = ()) -> dict[str, NDArray[Any]]:
    """The arrays of an .npz file. Nothing is unpickled, and nothing takes more memory than the file has bytes. Raises
    Damaged, also where one of `names` is missing."""
    try:
        with path.open("rb") as file, zipfile.ZipFile(file) as members:
            if sum(member.file_size for member in members.infolist()) > file.seek(0, os.SEEK_END):
                raise ValueError("its arrays claim more bytes than it has")
            found = {name.removesuffix(".npy"): _array(members, name) for name in members.namelist()}
    except LmedgeError:  # of a store that does not answer
        raise
    except Exception as error:  # zipfile, zlib and NumPy each raise their own
        raise Damaged.file(path, error) from error
    for name in names:
        if name not in found:
            raise Damaged.file(path, f"it lacks {name!r}")
    return found


def _array(members: zipfile.ZipFile, name: str) -> NDArray[Any]:
    """An array as `np.savez` stores it. Raises ValueError where its header claims other than there is."""
    import numpy as np

    data = io.BytesIO(members.read(name))
    version = np.lib.format.read_magic(data)
    if version != (1, 0):
        raise ValueError(f"{name!r} has version {version}")
    shape, _, kind = np.lib.format.read_array_header_1_0(data)
    if math.prod(shape) * kind.itemsize != len(data.getbuffer()) - data.tell():
        raise ValueError(f"{name!r} has not the size that it claims")
    data.seek(0)
    return np.asarray(np.lib.format.read_array(data, allow_pickle=False))


# A list of numbers as json.dumps indents it, each on a line. No text has such: its line ends are written as \\n.
_NUMBERS = re.compile(r"\[\n\s+(?:-?[\d.]+(?:e[-+]?\d+)?,?\s+)+\]")


def json_bytes(value: Any) -> bytes:
    """`value` as indented JSON; a list of numbers stands on one line."""
    text = json.dumps(value, indent=2) + "\n"
    return _NUMBERS.sub(lambda numbers: f"[{' '.join(numbers[0][1:-1].split())}]", text).encode()


def write_json(path: Path, value: Any) -> None:
    """Writes `value` as indented JSON in one step."""
    write_bytes(path, json_bytes(value))


def parsed_json(data: bytes) -> Any:
    """The value in a file of JSON; a byte order mark is no part of it. Raises ValueError, which says what is wrong."""
    try:
        return json.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise ValueError(f"byte {error.start} is no UTF-8") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"line {error.lineno}, column {error.colno}: {error.msg}") from None
    except RecursionError:
        raise ValueError("it is nested too deep") from None
    except ValueError:  # Python takes no longer ones
        raise ValueError("a number has thousands of digits") from None


Form = Mapping[str, Any]  # name -> a type, types, or the form of an object


def read_json(path: Path, what: str, form: Form | None = None) -> dict[str, Any]:
    """The JSON object in `path`. `what` names the file's role in the refusal; `form` says what it must hold at least.

    Raises LmedgeError when the file is missing, is not JSON, or holds something else.
    """
    try:
        value = parsed_json(read_regular(path, LARGEST_JSON))
    except FileNotFoundError:
        raise LmedgeError(f"{path} is missing, so this is not {what}.") from None
    except ValueError as error:
        raise LmedgeError(f"{path} is not JSON ({error}); {what} {_EDITED}") from None
    if not isinstance(value, dict):
        raise LmedgeError(f"{path} holds no JSON object; {what} {_EDITED}")
    check_form(value, form or {}, f"{path}", what)
    return value


def check_form(value: Mapping[str, Any], form: Form, where: str, what: str) -> None:
    """Raises LmedgeError where an object of `what` lacks what `form` names, has it of another type, or has a number
    that no float holds where one is meant."""
    for name, kind in form.items():
        if name not in value:
            raise LmedgeError(f"{where} lacks {name!r}; {what} {_EDITED}")
        wanted: Any = dict if isinstance(kind, Mapping) else kind
        if not _is_of(value[name], wanted):
            called = f", not {_CALLED[wanted]}" if wanted in _CALLED else ""
            raise LmedgeError(f"{where} has {value[name]!r:.80} for {name!r}{called}; {what} {_EDITED}")
        if isinstance(kind, Mapping):
            check_form(value[name], kind, f"{where}, {name!r}", what)


_EDITED = "was damaged or edited by hand: mend that, or take a whole copy of it."
_CALLED = {str: "a text", int: "a whole number", float: "a number", bool: "true or false", list: "a list",
           dict: "an object"}  # fmt: skip


def _is_of(value: Any, kind: Any) -> bool:
    """JSON has numbers: 1 is as good as 1.0, and true is none."""
    if isinstance(value, bool):
        return kind is bool
    if kind is float:
        return isinstance(value, int | float) and abs(value) <= sys.float_info.max  # false for nan
    return isinstance(value, kind)


def cache_folder() -> Path:
    """Where what is fetched is kept: `$XDG_CACHE_HOME/lmedge`, or `~/.cache/lmedge`. It may not exist yet."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lmedge"


def claim_file(path: Path, overwrite: bool, inputs: Iterable[Path | None] = ()) -> None:
    """Refuses an output file that exists, unless `overwrite`, and one that is among the `inputs` in any case; makes its
    folder. Raises UsageError."""
    if any(other is not None and other.exists() and path.exists() and path.samefile(other) for other in inputs):
        raise UsageError(f"--out {path} is what is read; name another file.")
    if path.is_dir():
        raise UsageError(f"--out {path} is a folder; name a file.")
    if path.exists() and not overwrite:
        raise UsageError(f"--out {path} exists; add --overwrite or name another file.")
    path.parent.mkdir(parents=True, exist_ok=True)
