"""Places in an object store, such as `s3://bucket/set`: paths whose files are objects of a store that fsspec
(https://filesystem-spec.readthedocs.io) knows. Nothing else imports fsspec, and this file does when a store is used.

An object is put in one step, so it is whole or absent; nothing is renamed, and folders are but how names begin.
"""

import errno
import fnmatch
import io
import logging
import os
import platform
import re
import stat
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path, PosixPath
from threading import Timer
from typing import Any, NoReturn

from lmedge.errors import LmedgeError, UsageError
from lmedge.installation import install

_SCHEME = re.compile(r"([a-z][a-z0-9+.-]+):(/|$)", re.IGNORECASE)  # a single letter is a disk of Windows

# What Python and the libraries of stores raise where nobody listens, or does not any more.
_NO_ANSWER = {"ConnectionError", "TimeoutError", "HTTPClientError", "ClientConnectionError"}

PATIENCE = 3.0  # seconds without an answer before that is said
_answered: set[tuple[str, ...]] = set()  # scheme and bucket of the stores that have

# Where stores say which content an object has, or when it got it.
TAGS = ("ETag", "etag", "md5Hash", "checksum", "LastModified", "last_modified", "mtime", "created")


def place(path: str | Path) -> Path:
    """A path as it was meant: a `Url` where it is one, of which pathlib makes `s3:/bucket/set`; what begins with
    `file://` is a path. Raises UsageError for a URL without a bucket."""
    path = Path(path) if isinstance(path, str) else path
    match = None if isinstance(path, Url) else _SCHEME.match(str(path))
    if match is None:
        return path
    if match[1].lower() == "file":
        return Path("/", *path.parts[1:])
    if len(path.parts) < 2:
        raise UsageError(f"{path}// names no bucket; write {match[1]}://BUCKET/NAME.")
    if ".." in path.parts:
        raise UsageError(f"{path}: a URL has no folder above another; write it without `..`.")
    return Url(path)


class Url(PosixPath):
    """A path that fsspec reads and writes. Of what a path can do it does what datasets need; whatever asks the system
    for it instead raises UsageError, as do a library that is missing and a scheme that is unknown. Raises LmedgeError
    where the store refuses, or does not answer."""

    def __str__(self) -> str:
        scheme, *names = self.parts or (".",)  # of what is relative to another one there is no scheme
        return f"{scheme}//{'/'.join(names)}" if scheme.endswith(":") else "/".join([scheme, *names])

    def __fspath__(self) -> NoReturn:
        raise UsageError(f"{self} is a URL, and what was to be done there takes a path of this machine.")

    def absolute(self) -> "Url":
        """Itself."""
        return self

    def resolve(self, strict: bool = False) -> "Url":
        """Itself."""
        return self

    def stat(self, **_: Any) -> os.stat_result:
        """Of which the size alone is known; without asking, where `walk` has just found it."""
        size = self.__dict__.get("_size")
        if size is None:
            with self._reached() as (store, name):
                size = store.info(name)["size"]
        return os.stat_result((stat.S_IFREG | 0o444, *[0] * 5, size, 0, 0, 0))

    def exists(self, **_: Any) -> bool:
        """Is there such an object, or one whose name goes on from here?"""
        return self._kind() is not None

    def is_file(self, **_: Any) -> bool:
        """Is there such an object?"""
        return self._kind() == "file"

    def is_dir(self, **_: Any) -> bool:
        """Does the name of an object go on from here?"""
        return self._kind() == "directory"

    def _kind(self) -> str | None:
        with suppress(FileNotFoundError), self._reached() as (store, name):
            return str(store.info(name)["type"])
        return None

    def mkdir(self, *_: Any, **__: Any) -> None:
        """Nothing has to be done for a folder."""

    def open(self, mode: str = "r", buffering: int = -1, *text: Any, **options: Any) -> Any:
        """The object, read whole into memory; it is not written here."""
        if mode not in ("r", "rb"):
            self.__fspath__()
        data = io.BytesIO(self.read_bytes())
        return data if mode == "rb" else io.TextIOWrapper(data, *text, **options)

    def read_bytes(self) -> bytes:
        """Raises FileNotFoundError where it is absent."""
        with self._reached() as (store, name):
            return bytes(store.cat_file(name))

    def write_bytes(self, data: Any) -> int:
        """Puts the object in one step."""
        with self._written() as (store, name):
            store.pipe_file(name, data)
        return len(data)

    def write_files(self, files: Mapping[str, bytes]) -> None:
        """Puts objects below, many at a time where the store can."""
        with self._written() as (store, name):
            store.pipe({f"{name}/{file}": data for file, data in files.items()})

    def put(self, file: Path) -> None:
        """Puts a file of this machine in one step, however large it is."""
        with self._written() as (store, name):
            store.put_file(str(file), name)

    def unlink(self, missing_ok: bool = False) -> None:
        """Deletes the object; some stores do not say that it was absent."""
        try:
            with self._reached() as (store, name):
                store.rm_file(name)
        except FileNotFoundError:
            if not missing_ok:
                raise

    def iterdir(self) -> Generator["Url", None, None]:
        """What lies directly below, in order."""
        names: list[str] = []
        with suppress(FileNotFoundError), self._reached() as (store, name):
            names = [path.rstrip("/").rpartition("/")[2] for path in store.ls(name, detail=False)]
        yield from (self / one for one in sorted(set(names) - {self.name}))

    def glob(self, pattern: str, **_: Any) -> Generator["Url", None, None]:
        """What lies directly below and is called so."""
        yield from (path for path in self.iterdir() if fnmatch.fnmatchcase(path.name, pattern))

    def files(self) -> list[str]:
        """All that lies below at any depth, relative, in order."""
        return sorted(self._found())

    def tags(self) -> dict[str, str]:
        """What lies below at any depth -> what tells one content of the object from another, as far as the store
        knows."""
        return {
            name: f"{about['size']} {next((about[key] for key in TAGS if about.get(key)), '')}"
            for name, about in sorted(self._found().items())
        }

    def below(self) -> list["Url"]:
        """All that lies below at any depth, in order; how large each is, is known then."""
        urls = []
        for name, about in sorted(self._found().items()):
            url = self / name
            url.__dict__["_size"] = about["size"]
            urls.append(url)
        return urls

    def get(self, files: Sequence[str], folder: Path) -> None:
        """Fetches some of what lies below into a folder of this machine, many at a time where the store can."""
        with self._reached() as (store, name):
            try:
                store.get([f"{name}/{file}" for file in files], [str(folder / file) for file in files])
            except OSError as error:
                if error.errno == errno.ENOSPC:  # here, and not in the store
                    raise LmedgeError(
                        f"the disk is full while {self} is fetched to {folder}; free some space and run the same "
                        "command again."
                    ) from None
                raise

    def _found(self) -> dict[str, Any]:
        with suppress(FileNotFoundError), self._reached() as (store, name):
            found = store.find(name, detail=True)
            files = {path.removeprefix(f"{name}/"): found[path] for path in found if path.startswith(f"{name}/")}
            # Consoles of stores make an empty object, `set/`, for a folder.
            return {file: about for file, about in files.items() if file and not file.endswith("/")}
        return {}

    def remove(self, files: Sequence[str] | None = None) -> None:
        """Deletes all that lies below, or these of it, which are there."""
        if files := self.files() if files is None else files:
            with self._reached() as (store, name):
                store.rm([f"{name}/{file}" for file in files])

    @contextmanager
    def _written(self) -> Iterator[tuple[Any, str]]:
        try:
            with self._reached() as reached:
                yield reached
        except FileNotFoundError:
            raise LmedgeError(f"{self.parts[0]}//{self.parts[1]} is not there; make that bucket first.") from None

    @contextmanager
    def _reached(self) -> Iterator[tuple[Any, str]]:
        """The store and the name in it. Raises FileNotFoundError as it is, and of the rest a sentence."""
        store, name = self._store()
        store.invalidate_cache()  # others write there too
        try:
            with self._patience():
                yield store, name.rstrip("/")
        except (FileNotFoundError, LmedgeError):
            raise
        except Exception as error:  # each store has its own
            raise self._refused(error) from error

    @contextmanager
    def _patience(self) -> Iterator[None]:
        """Says that a store is waited for whose first answer takes long; its library tries for up to a minute."""
        if self.parts[:2] in _answered:
            yield
            return
        from lmedge.progress import console  # here, as few wait for a store

        waiting = Timer(PATIENCE, console.print, [f"waiting for {self.parts[0]}//{self.parts[1]} to answer"])
        waiting.start()
        try:
            yield
        finally:
            waiting.cancel()
            _answered.add(self.parts[:2])

    def _store(self) -> tuple[Any, str]:
        try:
            from fsspec.core import url_to_fs
        except ImportError:
            raise UsageError(f"{self}: needs fsspec, not installed here; {install('store')}.") from None
        logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # where many fail at a time, one of them is told
        try:
            return url_to_fs(str(self))
        except ImportError as error:  # it names the library
            others = f"; {install('store')}" if self.parts[0] in ("s3:", "s3a:") else ""
            raise UsageError(f"{self}: its library is not installed here ({error}){others}.") from None
        except ValueError as error:
            raise UsageError(f"{self}: fsspec knows no such store ({error}); take s3://BUCKET/NAME.") from None

    def _refused(self, error: Exception) -> LmedgeError:
        reason = (str(error).strip().splitlines() or [""])[0][:200].rstrip(" .") or type(error).__name__
        if "credentials" in reason.lower() or type(error).__name__ in ("NoCredentialsError", "ProfileNotFound"):
            return LmedgeError(
                f"{self}: no credentials for the store are on {platform.node()} ({reason}); for S3 set "
                "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, on every machine that works."
            )
        if isinstance(error, PermissionError):
            return LmedgeError(f"{self}: the store does not allow it ({reason}); look at its credentials and rights.")
        mute = {base.__name__ for base in type(error).__mro__} & _NO_ANSWER
        return LmedgeError(
            f"{self}: the store {'does not answer' if mute else 'does not do it'} ({reason}); what is whole there "
            "stays, and the same command goes on."
        )
