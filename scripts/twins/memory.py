"""What a process has needed."""

from pathlib import Path


def peak_mib() -> float:
    """Most memory that this process held at a time (Linux)."""
    status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    return float(status.split("VmHWM:")[1].split()[0]) / 1024
