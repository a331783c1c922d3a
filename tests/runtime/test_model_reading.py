"""What is read as a model file at all."""

import os
import shutil

import pytest

from lmedge.errors import LmedgeError
from lmedge.runtime import FaceSampler
from lmedge.runtime.bundle import Bundle


@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_only_regular_files_are_read(bundle, tmp_path, kind):
    """A pipe never answers, a device never ends."""
    folder = shutil.copytree(bundle, tmp_path / "bundle")
    for path in (tmp_path / "m.tflite", folder / "faces-int8.tflite"):
        path.unlink(missing_ok=True)
        if kind == "pipe":
            os.mkfifo(path)
        else:
            path.symlink_to("/dev/zero")
    with pytest.raises(LmedgeError, match="m.tflite is no regular file"):
        FaceSampler(tmp_path / "m.tflite")
    with pytest.raises(LmedgeError, match="faces-int8.tflite is no regular file"):
        FaceSampler(folder, "int8")


def test_a_file_that_is_too_large_is_not_read(tmp_path):
    path = tmp_path / "m.tflite"
    with path.open("wb") as file:
        file.truncate(10 << 30)  # nothing is written
    with pytest.raises(LmedgeError, match="m.tflite has 10240 MiB, more than the 256 MiB that are read"):
        Bundle.open(path)
