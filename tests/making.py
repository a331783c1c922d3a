"""Folders of text files for the tests of what verbs write, and kills on the way."""

import os

from lmedge.folders import making_folder
from lmedge.manifest import MANIFEST


def make(path, files, overwrite=False, **options):
    """A folder of files with the text of each."""
    with making_folder(path, "a thing", overwrite, **options) as folder:
        for name, text in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)


def texts(path):
    """What lies in a folder, but for the manifest."""
    return {file.relative_to(path).as_posix(): file.read_text()
            for file in path.rglob("*") if file.is_file() and file.name != MANIFEST}  # fmt: skip


OLD = {"a": "old", "b/one": "old", "b/two": "old"}


NEW = {"a": "new", "b/one": "new", "c/three": "new"}


class Killed(BaseException):
    pass


def killed_at(monkeypatch, step):
    """Lets nothing on the disk change from this change on; says afterwards whether there were as many."""
    left = [step]
    for owner, name in ((os, "rename"), (os, "replace"), (os, "unlink"), (os, "rmdir"), (os, "mkdir")):
        real = getattr(owner, name)

        def call(*args, real=real, **kwargs):
            if left[0] == 0:
                raise Killed
            left[0] -= 1
            return real(*args, **kwargs)

        monkeypatch.setattr(owner, name, call)
    return lambda: left[0] == 0
