"""Making a dataset out of many jobs: shard after shard, so that a kill loses one shard."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmedge.errors import LmedgeError
from lmedge.executor import Executor, Start
from lmedge.faces.about import DATASET_FILE, SCHEMA
from lmedge.faces.attributes import counted
from lmedge.faces.record import Answer, Record, encode_png
from lmedge.faces.records import FaceDataset, shard_name, write_shard
from lmedge.fetched import fetched
from lmedge.folders import making_folder
from lmedge.parts import Columns, Part, PartStore, going_on, split
from lmedge.pictures import SHEET_FACES, contact_sheet
from lmedge.storage import write_bytes, write_json, write_table

SHARD_JOBS = 512
PARTS = ".parts"  # folder of what a continued run needs; gone when the dataset is whole
COLUMNS: Columns = {"count": (0, "i"), "rejected": (2, "U")}  # faces of a shard; (photo, reason) of the others
Work = Callable[[Any], Answer]
Note = dict[str, NDArray[Any]]
FILES = ("faces-*.tfrecord", DATASET_FILE, "rejected.csv", "contact.png")


@dataclass(frozen=True)
class Assembled:
    """What a dataset holds and what was rejected: reason -> photos; jobs a second of this call, or 0."""

    path: Path
    count: int
    rejected: dict[str, int]
    per_second: float


class NoFaces(LmedgeError):
    """Not one photo became a face; `rejected`: (photo, reason)."""

    def __init__(self, sentence: str, rejected: list[tuple[str, str]]):
        super().__init__(sentence)
        self.rejected = rejected


def assemble(
    out: Path,
    jobs: Sequence[Any],
    work: Work,
    start: Start,
    about: dict[str, Any],
    executor: Executor,
    overwrite: bool,
    unit: str,
) -> Assembled:
    """Runs `work(job)` for every job where `executor` does and stores the answers, in order, as a dataset.

    `about` goes into dataset.json; a half-made dataset in `out` is continued if its `about` is the same and
    refused otherwise. The bytes do not depend on `executor`, on kills, or on time.

    Raises UsageError for a folder of something else, LmedgeError when no face is left.
    """
    resume = {**about, "shard": SHARD_JOBS}
    with making_folder(out, "a dataset", overwrite, names=FILES, resume=resume) as folder:
        store, shards = PartStore(folder / PARTS, COLUMNS), split(len(jobs), SHARD_JOBS)
        missing = store.missing(shards)
        began = time.monotonic()
        to_make = _Shards(folder, len(shards), store, missing)
        with going_on(about["made_by"], out, unit, shards, missing) as advance:
            (_by_workers if executor.far else _here)(to_make, jobs, work, start, executor, advance)
        per_second = sum(shard.count for shard in missing) / (time.monotonic() - began)
        made = _finish(folder, store, shards, about, per_second)
    return replace(made, path=out)


@dataclass(frozen=True)
class _Shards:
    """Those in `folder` that are `missing` of all `count`, and the store of their notes."""

    folder: Path
    count: int
    store: PartStore
    missing: list[Part]

    def file(self, shard: Part) -> Path:
        """Of the faces of a shard."""
        return self.folder / shard_name(int(shard.key), self.count)

    def note(self, shard: Part, note: Note) -> None:
        """Says that a shard is whole. Raises OSError."""
        try:
            self.store.write(shard, note)
        except OSError:  # a full disk: without its part the shard is made again
            self.file(shard).unlink()
            raise


def _here(
    shards: _Shards, jobs: Sequence[Any], work: Work, start: Start, executor: Executor, advance: Callable[..., None]
) -> None:
    """Answers come from the workers, and this process stores them."""
    rejected = 0

    def seen(answers: Iterable[Answer]) -> Iterator[Answer]:
        nonlocal rejected
        for answer in answers:
            rejected += not isinstance(answer, Record)
            advance(1, f"{rejected} rejected" if rejected else "")
            yield answer

    pending = (job for shard in shards.missing for job in shard.of(jobs))
    with executor.answers(work, pending, start) as answers:
        for shard in shards.missing:
            shards.note(shard, _shard(shards.file(shard), seen(islice(answers, shard.count))))


def _by_workers(
    shards: _Shards, jobs: Sequence[Any], work: Work, start: Start, executor: Executor, advance: Callable[..., None]
) -> None:
    """A worker stores a shard, and what comes from it is the note of that."""
    rejected = 0
    given = ((shards.file(shard), list(shard.of(jobs))) for shard in shards.missing)
    with executor.answers(_work_shard, given, (_start_shards, (work, start)), parcel=1) as notes:
        for shard, note in zip(shards.missing, notes, strict=True):
            shards.note(shard, note)
            rejected += len(note["rejected"])
            advance(shard.count, f"{rejected} rejected" if rejected else "")


def _shard(file: Path, answers: Iterable[Answer]) -> Note:
    """Stores those of some answers that are faces; the note says how many, and of the others why."""
    records: list[Record] = []
    refused: list[tuple[str, str]] = []
    for answer in answers:
        if isinstance(answer, Record):
            records.append(answer)
        else:
            refused.append(answer)
    write_shard(file, records)
    return {"count": np.array(len(records)), "rejected": np.array(refused, np.str_).reshape(-1, 2)}


_work: Work  # one a worker that stores shards


def _start_shards(work: Work, start: Start) -> None:
    global _work
    begin, args = start
    begin(*args)
    _work = work


def _work_shard(job: tuple[Path, list[Any]]) -> Note:
    file, jobs = job
    return _shard(file, map(_work, jobs))


def _finish(out: Path, store: PartStore, shards: list[Part], about: dict[str, Any], per_second: float) -> Assembled:
    notes = [store.read(shard) for shard in shards]
    rejected = [(str(name), str(reason)) for note in notes for name, reason in note["rejected"]]
    count = sum(int(note["count"]) for note in notes)
    # What follows the colon is particular to one photo.
    reasons = dict(Counter(reason.split(":")[0] for _, reason in rejected).most_common())
    write_table(out / "rejected.csv", [("file", "reason"), *rejected])
    if not count:
        store.clear()  # whoever mends the photos, or the .pts files beside them, has them looked at again
        why = ", ".join(f"{number} {reason}" for reason, number in reasons.items())
        raise NoFaces(f"none of the {len(rejected)} photos became a face ({why}); see {out}/rejected.csv.", rejected)
    names = [shard_name(int(shard.key), len(shards)) for shard in shards]
    document = {"schema": SCHEMA, "count": count, "rejected": reasons, **about, "shards": names}
    write_json(out / DATASET_FILE, document)
    dataset = FaceDataset(fetched(out, half_made=True))
    if dataset.attribute_names:  # of which only whole records say how many there are
        document["attributes"] = {**document["attributes"], **counted(dataset.attributes)}
        write_json(out / DATASET_FILE, document)
    write_bytes(out / "contact.png", _overview(dataset))
    store.clear()
    return Assembled(out, count, reasons, per_second)


def _overview(dataset: FaceDataset) -> bytes:
    """A PNG of faces spread over the dataset, with their landmarks."""
    where = np.unique(np.linspace(0, len(dataset) - 1, SHEET_FACES).round().astype(int))
    faces = dataset.read(where)
    return encode_png(contact_sheet(faces["image"], faces["landmarks"], dataset.scheme))
