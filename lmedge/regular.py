"""Reading files from strangers: regular ones only, and no more of them than was meant."""

import os
import stat
from pathlib import Path

from lmedge.errors import LmedgeError
from lmedge.url import Url


def read_regular(path: Path, most: int) -> bytes:
    """The bytes of a regular file. Raises LmedgeError for a device, a pipe or a socket, which may never end, and for
    more than `most` bytes; OSError where it cannot be read."""
    if isinstance(path, Url):  # an object is one
        return path.read_bytes()
    # Without waiting: a pipe that nobody writes to would hold up `open`.
    number = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with os.fdopen(number, "rb") as file:
        about = os.fstat(number)
        if not stat.S_ISREG(about.st_mode):
            raise LmedgeError(f"{path} is no regular file (a device, a pipe or a folder); copy what it holds into one.")
        if about.st_size > most:
            raise LmedgeError(f"{path} has {about.st_size >> 20} MiB, more than the {most >> 20} MiB that are read.")
        return file.read(most)
