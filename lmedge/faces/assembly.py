"""Making a dataset out of many jobs: shard after shard, so that a kill loses one shard."""

import csv
import io
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from lmedge.errors import LmedgeError
from lmedge.executor import Executor, Start
from lmedge.faces.record import Answer, Record, encode_png
from lmedge.faces.records import DATASET_FILE, SCHEMA, FaceDataset, shard_name, write_shard
from lmedge.folders import making_folder
from lmedge.pictures import drawn, grid
from lmedge.progress import progress
from lmedge.storage import read_json, write_bytes, write_json

SHARD_JOBS = 512
PARTS = ".parts"  # folder of what a continued run needs; gone when the dataset is whole
CONTACT_FACES = 64
NOTE_FORM = {"count": int, "rejected": list}  # of a shard
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
    work: Callable[[Any], Answer],
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
    with making_folder(out, "a dataset", overwrite, names=FILES, resume=about) as folder:
        made = _assembled(folder, jobs, work, start, about, executor, unit)
    return replace(made, path=out)


def _assembled(
    out: Path, jobs: Sequence[Any], work: Callable[[Any], Answer], start: Start, about: dict[str, Any],
    executor: Executor, unit: str,
) -> Assembled:  # fmt: skip
    parts = out / PARTS
    parts.mkdir(exist_ok=True)
    shards = max(1, -(-len(jobs) // SHARD_JOBS))
    missing = [i for i in range(shards) if not (parts / f"{i:05}.json").exists()]
    pending = [job for i in missing for job in jobs[i * SHARD_JOBS : (i + 1) * SHARD_JOBS]]
    done = len(jobs) - len(pending)
    rejected = 0
    began = time.monotonic()
    with (
        executor.answers(work, pending, start) as answers,
        progress(about["made_by"], len(jobs), unit, done) as advance,
    ):
        for i in missing:
            records, refused = [], []
            for _ in jobs[i * SHARD_JOBS : (i + 1) * SHARD_JOBS]:
                answer = next(answers)
                if isinstance(answer, Record):
                    records.append(answer)
                else:
                    refused.append(answer)
                    rejected += 1
                advance(1, f"{rejected} rejected" if rejected else "")
            # The shard first: its note says that it is whole.
            write_shard(out / shard_name(i, shards), records)
            write_json(parts / f"{i:05}.json", {"count": len(records), "rejected": refused})
    per_second = len(pending) / (time.monotonic() - began)
    return _finish(out, parts, shards, about, per_second)


def _finish(out: Path, parts: Path, shards: int, about: dict[str, Any], per_second: float) -> Assembled:
    notes = [read_json(parts / f"{i:05}.json", "a half-made dataset", NOTE_FORM) for i in range(shards)]
    rejected = [(str(name), str(reason)) for note in notes for name, reason in note["rejected"]]
    count = sum(note["count"] for note in notes)
    # What follows the colon is particular to one photo.
    reasons = dict(Counter(reason.split(":")[0] for _, reason in rejected).most_common())
    table = io.StringIO()
    csv.writer(table, lineterminator="\n").writerows([("file", "reason"), *rejected])
    write_bytes(out / "rejected.csv", table.getvalue().encode())
    if not count:
        why = ", ".join(f"{number} {reason}" for reason, number in reasons.items())
        raise NoFaces(f"none of the {len(rejected)} photos became a face ({why}); see {out}/rejected.csv.", rejected)
    names = [shard_name(i, shards) for i in range(shards)]
    document = {"schema": SCHEMA, "count": count, "rejected": reasons, **about, "shards": names}
    write_json(out / DATASET_FILE, document)
    dataset = FaceDataset(out)
    write_bytes(out / "contact.png", contact_sheet(dataset))
    for part in sorted(parts.iterdir()):
        part.unlink()
    parts.rmdir()
    return Assembled(out, count, reasons, per_second)


def contact_sheet(dataset: FaceDataset) -> bytes:
    """A PNG of faces spread over the dataset, with their landmarks."""
    where = np.unique(np.linspace(0, len(dataset) - 1, CONTACT_FACES).round().astype(int))
    faces = dataset.read(where)
    scale = max(1, 128 // dataset.size)
    pictures = [
        drawn(image, points, dataset.scheme, scale)
        for image, points in zip(faces["image"], faces["landmarks"], strict=True)
    ]
    return encode_png(grid(pictures, 8))
