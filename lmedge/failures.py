"""What a user is told when something happens that no stage foresees: the disk, permissions, memory, a missing extra."""

import errno

from lmedge.installation import remedy


def outside_our_hands(error: Exception) -> tuple[str, int]:
    """A sentence about an error that is not ours, and the exit code."""
    text = str(error)
    if getattr(error, "errno", None) == errno.ENOSPC or "No space left on device" in text:
        name = getattr(error, "filename", None)
        where = f" while writing {name}" if name else ""
        return f"the disk is full{where}; free some space and run the same command again to go on.", 1
    if isinstance(error, PermissionError):
        return f"no permission to use {error.filename}; choose a folder that you may write.", 1
    if isinstance(error, OSError) and error.errno in (errno.EROFS, errno.ENOTDIR, errno.EEXIST):
        return f"{error.filename} cannot be made ({error.strerror}); choose a folder that you may write.", 1
    if isinstance(error, ModuleNotFoundError):
        name = error.name or "a module"
        return f"{name} is not installed and this verb needs it; {remedy(name)}.", 1
    if isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError":
        return "out of memory; lower --batch or the number of workers.", 1
    first = text.splitlines()[0][:300] if text else "no message"
    return f"failed with {type(error).__name__}: {first} (add --debug for the traceback).", 1
