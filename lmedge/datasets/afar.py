"""Parts of a set that workers on other machines draw and write, so that faces pass through no other one.

Where every face is wanted, a part knows its latents. Otherwise the part in which a face comes depends on all before it:
workers draw groups of latents and keep the wanted faces in OUT; what comes back is which they are, and another job puts
those of a part together.
"""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial, reduce
from itertools import count
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lmedge.datasets.formats import Format, Shape
from lmedge.datasets.looker import Looker, looker_of
from lmedge.datasets.stream import CHUNK, Last, Plan, Samples, face_before, joined, up_to
from lmedge.executor import Executor
from lmedge.parts import Part, PartStore, stretches
from lmedge.quiet import load_tensorflow
from lmedge.runtime import FaceModel
from lmedge.runtime.selection import Seen, Tally, widened
from lmedge.runtime.steering import Steering
from lmedge.storage import read_arrays, write_arrays

GROUP = 256  # latents whose wanted faces wait for their part together


@dataclass(frozen=True)
class Work:
    """What workers need: `opened()`, the model; which faces; how they are stored in `folder`, labels in `store`; and
    the folder of the network of attributes, where one looks."""

    opened: Callable[[], FaceModel]
    plan: Plan
    format: Format
    folder: Path
    shape: Shape
    store: PartStore
    attributes: Path | None

    def group(self, first: int) -> Path:
        """The wanted faces of the group that begins with latent `first`."""
        return self.store.folder / f"group-{first}.npz"


@dataclass(frozen=True)
class Piece:
    """Faces `start` to `stop` of a group of latents, `of` which are wanted."""

    first: int
    start: int
    stop: int
    of: int


@dataclass(frozen=True)
class Written:
    """A part to be written, of faces that were kept; of its own latents where there are no `pieces`."""

    part: Part
    pieces: tuple[Piece, ...] = ()


@dataclass(frozen=True)
class Drawn:
    """A group that was drawn: which of the `looked` faces are kept, and the extremes of what was measured."""

    first: int
    looked: int
    numbers: NDArray[np.int64]
    mirrored: NDArray[np.bool_]
    seen: Seen


def opened(model: FaceModel, run: Path) -> Callable[[], FaceModel]:
    """Opens a model on another machine; that of `run` where it would stay in this process."""
    return model.elsewhere or partial(_keras, run.resolve())


def _keras(run: Path) -> FaceModel:
    load_tensorflow()
    from lmedge.run import Run  # here, as sets are drawn without TensorFlow too

    return Run.open(run).face_model()


def write_parts(
    work: Work, parts: list[Part], missing: list[Part], executor: Executor, heavy: bool, advance: Callable[..., None]
) -> None:
    """Has the missing parts written; `heavy`: does TensorFlow draw? Raises LmedgeError where hardly a face is
    wanted."""
    tally = Tally(work.plan.selection)
    work.store.folder.mkdir(exist_ok=True)
    for stretch in stretches(missing):
        for stale in work.store.folder.glob("group-*.npz"):
            stale.unlink()
        jobs = _Jobs(work, stretch, face_before(work.store, parts, stretch[0]), tally)
        with executor.answers(_job, jobs, (_start, (work,)), parcel=1, heavy=heavy) as answers:
            for answer in answers:
                if isinstance(answer, Drawn):
                    jobs.add(answer)
                    continue
                for piece in answer.pieces:
                    if piece.stop == piece.of:  # nobody else needs it
                        work.group(piece.first).unlink(missing_ok=True)
                advance(answer.part.count, tally.note)
                if answer.part == stretch[-1]:
                    break  # groups beyond it are not wanted


class _Jobs:
    """What is to be done next: a part whose faces are there, or else more faces."""

    def __init__(self, work: Work, stretch: list[Part], last: Last, tally: Tally):
        self._last, self._tally = last, tally
        self._parts = deque(stretch)
        self._ready: deque[Written] = deque()
        self._pieces: list[Piece] = []
        self._groups = count(max(last[0], 0), GROUP)
        if work.plan.selection.wants_all:
            self._ready.extend(map(Written, stretch))
            self._parts.clear()

    def __iter__(self) -> Iterator["int | Written"]:
        while self._parts or self._ready:
            yield self._ready.popleft() if self._ready else next(self._groups)

    def add(self, drawn: Drawn) -> None:
        """A group is there."""
        self._tally.add(drawn.looked, len(drawn.numbers), drawn.seen)
        at, of = up_to(self._last, drawn.numbers, drawn.mirrored), len(drawn.numbers)
        while self._parts and at < of:
            part = self._parts[0]
            stop = min(of, at + part.count - sum(piece.stop - piece.start for piece in self._pieces))
            self._pieces.append(Piece(drawn.first, at, stop, of))
            at = stop
            if sum(piece.stop - piece.start for piece in self._pieces) == part.count:
                self._ready.append(Written(self._parts.popleft(), tuple(self._pieces)))
                self._pieces = []


_work: Work  # these are one a worker
_model: FaceModel
_steering: Steering | None
_looker: Looker | None


def _start(work: Work) -> None:
    global _work, _model, _steering, _looker
    _work, _model, _looker = work, work.opened(), looker_of(work.attributes)
    _model.latent = work.plan.asking(_model.latent)
    _steering = work.plan.steering(_model)


def _job(job: "int | Written") -> "Drawn | Written":
    return _write(job) if isinstance(job, Written) else _draw(job)


def _draw(first: int) -> Drawn:
    chunks = [_work.plan.chunk(_model, _steering, at) for at in range(first, first + GROUP, CHUNK)]
    samples = joined([chunk.samples for chunk in chunks])
    if len(samples):
        sizes = np.array([len(png) for png in samples.pngs])
        pictures = np.frombuffer(b"".join(samples.pngs), np.uint8)
        write_arrays(_work.group(first), {**samples.labels(), "sizes": sizes, "pictures": pictures})
    seen: Seen = reduce(widened, (chunk.seen for chunk in chunks), {})
    return Drawn(first, sum(chunk.looked for chunk in chunks), samples.numbers, samples.mirrored, seen)


def _write(job: Written) -> Written:
    """The faces first, then the labels, which say that all of the part is there."""
    samples = joined([_kept(piece) for piece in job.pieces]) if job.pieces else _own(job.part)
    samples = samples if _looker is None else _looker(samples)
    _work.format.part(_work.folder, job.part.first, samples, _work.shape)
    _work.store.write(job.part, samples.labels())
    return job


def _own(part: Part) -> Samples:
    """The faces of a part where all are wanted."""
    views = 1 + _work.plan.mirror
    begin, end = part.first // views, -(-(part.first + part.count) // views)
    whole = joined([_work.plan.chunk(_model, _steering, at).samples for at in range(begin, end, CHUNK)])
    return whole[part.first % views : part.first % views + part.count]


def _kept(piece: Piece) -> Samples:
    arrays = read_arrays(_work.group(piece.first))
    sizes, pictures = arrays.pop("sizes"), arrays.pop("pictures").tobytes()
    ends = np.cumsum(sizes)
    pngs = [pictures[end - size : end] for end, size in zip(ends, sizes, strict=True)]
    return replace(Samples.of(arrays), pngs=pngs)[piece.start : piece.stop]
