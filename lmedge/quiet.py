"""Keeping the native libraries' start-up logs off the terminal."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# Read by TensorFlow, MediaPipe and Abseil when they are loaded.
VARIABLES = {"TF_CPP_MIN_LOG_LEVEL": "3", "GLOG_minloglevel": "3", "ABSL_MIN_LOG_LEVEL": "3"}


def set_variables() -> None:
    """Asks the libraries to log errors only, unless the user has asked for something else."""
    for name, value in VARIABLES.items():
        os.environ.setdefault(name, value)


def load_tensorflow() -> None:
    """Imports TensorFlow without its messages; what is imported after it is quiet too."""
    set_variables()
    with native_stderr_off():
        import tensorflow  # noqa: F401


@contextmanager
def native_stderr_off() -> Iterator[None]:
    """Sends file descriptor 2 nowhere: TensorFlow logs about absent CUDA before any level is read, and its
    converter writes pages. Python exceptions are not lost, as they are raised."""
    saved = os.dup(2)
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
