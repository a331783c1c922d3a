"""Reading a photo of unknown origin as upright 8-bit RGB."""

from pathlib import Path

from lmedge.errors import LmedgeError, Rejected
from lmedge.faces.decoding import MOST_FILE, Photo, decode


def read_photo(path: Path) -> Photo:
    """Reads and decodes a photo.

    Raises Rejected for a file that cannot become one, LmedgeError where the file has gone away: the disk, the share
    or the folder that it was found on, and so the next ones too.
    """
    try:
        if path.stat().st_size > MOST_FILE:
            raise Rejected(f"a file of more than {MOST_FILE >> 20} MiB")
        data = path.read_bytes()
    except PermissionError:
        raise Rejected("no permission to read it") from None
    except OSError as error:
        raise gone(path, error) from None
    return decode(data)


def gone(path: Path, error: OSError) -> LmedgeError:
    """What to raise for a photo that was found and then went away."""
    return LmedgeError(
        f"{path} was there and cannot be read any more ({error.strerror}); bring the photos back, and the same "
        "command goes on from there."
    )
