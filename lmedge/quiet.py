"""Keeping the native libraries' start-up logs off the terminal."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.machinery import PathFinder
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

# Read by TensorFlow, MediaPipe and Abseil when they are loaded.
VARIABLES = {"TF_CPP_MIN_LOG_LEVEL": "3", "GLOG_minloglevel": "3", "ABSL_MIN_LOG_LEVEL": "3"}


def keep_quiet() -> None:
    """Asks the libraries to log errors only, unless the user has asked for something else, and sees to it that
    TensorFlow, whoever imports it, is loaded without its messages."""
    for name, value in VARIABLES.items():
        os.environ.setdefault(name, value)
    if not any(isinstance(finder, _Quietly) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Quietly())


def load_tensorflow() -> None:
    """Imports TensorFlow without its messages; what is imported after it is quiet too."""
    keep_quiet()
    import tensorflow  # noqa: F401


class _Quietly:
    """A finder of modules: finds TensorFlow where it is, and turns its messages off while it is loaded, as its log
    levels come too late."""

    def find_spec(
        self, fullname: str, path: "Sequence[str] | None", target: "ModuleType | None" = None
    ) -> "ModuleSpec | None":
        if fullname != "tensorflow":
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec and spec.loader:
            load = spec.loader.exec_module

            def quietly(module: "ModuleType") -> None:
                with native_stderr_off():
                    load(module)

            setattr(spec.loader, "exec_module", quietly)  # noqa: B010
        return spec


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
