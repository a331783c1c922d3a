"""A run in an object store that a verb writes: the work is done in a folder of this machine, and what is new there is
put into the store while it goes on, and at its end.

A kill may come between any two puts, so the run in the store is always one that a kill could have left in a folder:
objects are put in the order in which their files were written, but for config.json, which is first, and what is gone
here is deleted when they are there.
"""

import functools
import os
import platform
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from lmedge.errors import LmedgeError, UsageError
from lmedge.fetched import (
    AT_ONCE,
    KEPT,
    MARK,
    fetch,
    files_in,
    folder_in,
    is_passing,
    kept,
    note,
    noted,
    origin,
    stamp,
)
from lmedge.owner import Owner, make_folder
from lmedge.progress import console
from lmedge.url import Url

FIRST = "config.json"  # without it a folder is no run
LOOK_SECONDS = 5.0  # between two looks for what is new
MOST_BYTES = 1 << 26  # that are put at a time, where it is not a single file

Files = dict[str, os.stat_result]
Rest = ParamSpec("Rest")
Result = TypeVar("Result")


class _OfRun(Protocol):
    @property
    def run(self) -> Path: ...


Options = TypeVar("Options", bound=_OfRun)


def keeps_run(
    stage: Callable[Concatenate[Options, Rest], Result],
) -> Callable[Concatenate[Options, Rest], Result]:
    """A stage that writes into the run of its options, unless they name another place, `out`."""

    @functools.wraps(stage)
    def keeping_run(config: Options, *args: Rest.args, **options: Rest.kwargs) -> Result:
        with keeping(config.run) if getattr(config, "out", None) is None else nullcontext():
            return stage(config, *args, **options)

    return keeping_run


@contextmanager
def keeping(path: Path, alone: bool = True) -> Iterator[None]:
    """Inside, `fetched(path)`, and so what opens the run, is a folder of this machine in which one may work. Nothing is
    done for a path that is none of a store. Not `alone`: other machines read the run at the same time, and shall find
    in it what this one does; so what the store lacks since a command that was cut off is left out, and not put.

    Raises UsageError for what is no run, LmedgeError where another command of this machine works at it, where the store
    may not be written, and at the end where it lacks what is new here. A store that fails on the way is told of, and
    tried again when there is more.
    """
    if not isinstance(path, Url):
        yield
        return
    if len(path.parts) < 3:
        raise UsageError(f"{path} is a whole bucket; name a run in it: {path}/NAME.")
    folder = folder_in(KEPT, path)
    make_folder(folder / MARK, folder)
    owner = Owner(folder / MARK, path)
    try:
        keeper = _Keeper(path, folder, alone)
        kept[path], _keepers[folder] = folder, keeper
        with keeper.at_work():
            yield
    finally:
        kept.pop(path, None)
        _keepers.pop(folder, None)
        owner.release()


def shared(path: Path) -> Path:
    """As `origin`; what is new there is put before, as others are to find it. Raises LmedgeError."""
    if path in _keepers:
        _keepers[path].put()
    return origin(path)


class _Keeper:
    """What puts the files of a folder into a store. Raises as `keeping`."""

    def __init__(self, url: Url, folder: Path, alone: bool):
        self.url, self.folder, self.alone = url, folder, alone
        self._putting, self._over = threading.Lock(), threading.Event()
        self._failed = False
        there = {file: tag for file, tag in url.tags().items() if not is_passing(file)}
        if there and FIRST not in there:
            raise UsageError(f"{url} holds other things and no {FIRST}; name another place.")
        (url / MARK).write_bytes(b"")  # now, and not after hours of work
        (url / MARK).unlink()
        known = noted(folder)
        self._put = {file: here for file, (_, here) in known.items()}
        if new := self._new(files_in(folder)):
            there = self._left(new, there, {file: tag for file, (tag, _) in known.items()})
        fetch(url, there, folder)
        self._seen = files_in(folder)
        self._put = {file: stamp(about) for file, about in self._seen.items()}

    def _left(self, new: list[str], there: dict[str, str], known: dict[str, str]) -> dict[str, str]:
        """Puts what an earlier command could not, where nobody has written since; gives what is there then."""
        what = f"{len(new)} file{'s' * (len(new) > 1)} that {self.url} lacks since a command that was cut off"
        if not self.alone or there != known:
            why = "as it has changed since" if self.alone else "as the other machines do not have them"
            console.print(f"{what} are left out, {why}")
            return there
        console.print(f"putting {what}")
        self._put_files(new)
        return self.url.tags()

    def _new(self, now: Files) -> list[str]:
        """Files that the store has not as they are here, in the order in which they are to be put."""
        new = [file for file, about in now.items() if self._put.get(file) != stamp(about)]
        return sorted(new, key=lambda file: (file != FIRST, now[file].st_ctime_ns, file))

    def put(self) -> None:
        """Puts what is new, and then deletes there what is gone here."""
        with self._putting:
            self._seen = files_in(self.folder)
            self._put_files(self._new(self._seen))
            if gone := sorted(self._put.keys() - self._seen.keys()):
                self.url.remove(sorted(self.url.tags().keys() & set(gone)))
                self._note(dict.fromkeys(gone, ("", "")))
                for file in gone:
                    del self._put[file]

    def _put_files(self, new: list[str]) -> None:
        for data, here in self._parcels(new):
            self.url.write_files(data)
            self._put |= here
            there = self.url.tags()
            self._note({file: (there[file], here[file]) for file in here if file in there})

    def _note(self, same: dict[str, tuple[str, str]]) -> None:
        with suppress(OSError):  # on a full disk: then they are fetched again
            note(self.folder, same)

    def _parcels(self, new: list[str]) -> Iterator[tuple[dict[str, bytes], dict[str, str]]]:
        """Bytes and stamps of files that are put at a time. What is read here is put, whatever becomes of the file
        meanwhile; one that is written to or replaced after its stamp was taken is new again at the next look."""
        data: dict[str, bytes] = {}
        here: dict[str, str] = {}
        for file in new:
            with suppress(FileNotFoundError):  # deleted since
                before = stamp((self.folder / file).stat())
                data[file] = (self.folder / file).read_bytes()
                here[file] = before
            if file == FIRST or len(data) == AT_ONCE or sum(map(len, data.values())) > MOST_BYTES:
                yield data, here
                data, here = {}, {}
        if data:
            yield data, here

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Puts what is new inside of the block, in a thread, and the rest at its end."""
        thread = threading.Thread(target=self._watch, name=f"keeping {self.url}", daemon=True)
        thread.start()
        try:
            yield
        except BaseException:
            try:
                self._end(thread)
            except LmedgeError as error:  # beside what ended the work
                console.print(str(error))
            raise
        self._end(thread)

    def _watch(self) -> None:
        while not self._over.wait(LOOK_SECONDS):
            if not self._has_news():
                continue
            try:
                self.put()
                self._failed = False
            except (LmedgeError, OSError) as error:
                if not self._failed and not self._over.is_set():
                    console.print(f"the work goes on in {self.folder}, and its next files are tried again: {error}")
                self._failed = True

    def _has_news(self) -> bool:
        """Is there more than files that have grown, such as logs? These are put with the next one."""
        return any(
            file not in self._seen or about.st_ino != self._seen[file].st_ino
            for file, about in files_in(self.folder).items()
        )

    def _end(self, thread: threading.Thread) -> None:
        self._over.set()
        thread.join()
        try:
            self.put()
        except LmedgeError as error:
            new = len(self._new(files_in(self.folder)))
            what = f"{new} files of {self.url} are" if new != 1 else f"1 file of {self.url} is"
            how = (
                "the same command there puts them into the store"
                if self.alone
                else "copy them into the store before the same command, which goes on from what is there"
            )
            raise LmedgeError(
                f"{str(error).split('; ')[0]}; {what} only in {self.folder} on {platform.node()}; {how}."
            ) from error


_keepers: dict[Path, _Keeper] = {}  # by folder
