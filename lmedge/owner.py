"""One owner of a folder at a time: a lock that falls away with the process that holds it.

The lock is `flock` on a hidden file in the folder. Where there is none (Windows, some network disks) this is said, and
two commands on one folder are not kept apart.
"""

import errno
import json
import os
import platform
import shlex
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from lmedge.errors import LmedgeError, UsageError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

LOCK_FILE = ".lmedge.lock"
NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)
NOT_OURS = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST, errno.ENAMETOOLONG, errno.ELOOP)


class Owner:
    """Owns `folder` from here to `release`. `shown` is what the user calls the folder.

    Raises LmedgeError, at once, where another process (or another part of this one) owns it, UsageError where it
    cannot be written, FileNotFoundError where it is not there.
    """

    def __init__(self, folder: Path, shown: Path | None = None):
        self.path = folder / LOCK_FILE
        shown = shown or folder
        while True:
            with writable(shown):
                self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o666)
            try:
                self._lock(shown)
                # The owner before takes the file away when it ends: what is locked must be what lies there.
                if os.path.samestat(os.fstat(self._file), self.path.stat()):
                    break
            except FileNotFoundError:
                pass
            except BaseException:
                os.close(self._file)
                raise
            os.close(self._file)
        program = Path(sys.argv[0])
        name = program.parent.name if program.name == "__main__.py" else program.name
        command = shlex.join([name, *sys.argv[1:]])[:200]
        note = {"process": os.getpid(), "host": platform.node(), "command": command}
        with suppress(OSError):  # on a full disk the lock does without
            os.truncate(self._file, 0)
            os.pwrite(self._file, json.dumps(note).encode(), 0)

    def _lock(self, shown: Path) -> None:
        try:
            if fcntl is None:
                raise OSError(errno.ENOSYS, "")
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LmedgeError(f"{shown} is in use: {_whose(self.path)} writes it; wait for that to end.") from None
        except OSError as error:
            if error.errno not in NO_LOCKS:
                raise
            from lmedge.progress import console

            console.print(f"{shown} cannot be locked here; take care that no second command writes into it")

    def release(self) -> None:
        """Gives the folder back. Nothing of the lock stays."""
        try:
            self.path.unlink(missing_ok=True)  # while it is still held, so that nobody else's is taken away
        finally:
            os.close(self._file)


@contextmanager
def owning(folder: Path) -> Iterator[None]:
    """Owns a folder that is there while the block runs. Raises as `Owner`."""
    owner = Owner(folder)
    try:
        yield
    finally:
        owner.release()


@contextmanager
def writable(shown: Path, codes: Collection[int] = NOT_OURS) -> Iterator[None]:
    """Turns what the system says, in one of `codes`, of a place that cannot be written into UsageError."""
    try:
        yield
    except OSError as error:
        if error.errno not in codes:
            raise
        raise UsageError(f"{shown} cannot be written ({error.strerror}); name a folder that you may write.") from None


def make_folder(folder: Path, shown: Path) -> None:
    """Makes a folder, and those above it, where it is absent. Raises UsageError, as `writable`, where it cannot be
    made: `/proc` and its like say of what they do not take that it is not there."""
    with writable(shown, (*NOT_OURS, errno.ENOENT)):
        folder.mkdir(parents=True, exist_ok=True)


def _whose(path: Path) -> str:
    """Process and command of who holds a lock, as far as they are known."""
    try:
        note = json.loads(path.read_bytes()[:4096])
        process, host, command = note["process"], note["host"], note["command"]
    except (OSError, ValueError, KeyError, TypeError):
        return "another command"
    where = "" if host == platform.node() else f" on {host}"
    return f"process {process}{where} ({command})"
