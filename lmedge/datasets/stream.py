"""Labelled faces without end: latents of a seed, drawn, chosen and encoded, in worker processes or by Keras."""

import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import reduce
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lmedge.executor import Executor
from lmedge.landmarks import mirrored
from lmedge.latent import Latents, LatentSpec, around, uniform
from lmedge.parts import Part, PartStore
from lmedge.runtime import FaceModel, Faces
from lmedge.runtime.selection import Range, Seen, Selection, widened
from lmedge.runtime.steering import Steering
from lmedge.scheme import Scheme

CHUNK = 64  # latents drawn at a time
Last = tuple[int, bool]  # the latent of a face, and whether it is the mirror image


@dataclass(frozen=True)
class Samples:
    """Faces as they are stored. `numbers` `[N]` of their latents in the seed; `mirrored` `[N]`: is it the mirror image?
    `landmarks` `[N, K, 2]` pixels; `confidence` `[N]` or None; `pngs`, N files; `attributes` `[N, A]`, -1..1, of those
    that a network looked at, or None; `point_confidence` `[N, K]` or None."""

    numbers: NDArray[np.int64]
    mirrored: NDArray[np.bool_]
    landmarks: NDArray[np.float32]
    confidence: NDArray[np.float32] | None
    pngs: list[bytes]
    attributes: NDArray[np.float32] | None = None
    point_confidence: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, part: slice) -> "Samples":
        labels = {name: values[part] for name, values in self.labels().items()}
        return replace(Samples.of(labels), pngs=self.pngs[part])

    def confidences(self, names: Sequence[str]) -> dict[str, NDArray[np.float32]]:
        """What is known of how sure the landmarks called `names` are, as columns `[N]` of a table by their titles."""
        columns: dict[str, NDArray[np.float32]] = {}
        if self.point_confidence is not None:
            titles = [f"{name}_confidence" for name in names]
            columns |= dict(zip(titles, self.point_confidence.T, strict=True))
        return columns if self.confidence is None else {**columns, "confidence": self.confidence}

    def labels(self) -> dict[str, NDArray[Any]]:
        """All but the pictures, by name."""
        return {name: value for name, value in vars(self).items() if name != "pngs" and value is not None}

    @classmethod
    def of(cls, labels: dict[str, NDArray[Any]]) -> "Samples":
        """The faces of `labels`, without their pictures."""
        sure, shown, of_points = (labels.get(name) for name in ("confidence", "attributes", "point_confidence"))
        return cls(labels["numbers"], labels["mirrored"], labels["landmarks"], sure, [], shown, of_points)

    def images(self) -> NDArray[np.uint8]:
        """The pictures, `[N, H, W, 3]` RGB."""
        return np.stack([np.asarray(Image.open(io.BytesIO(png)).convert("RGB")) for png in self.pngs])


def joined(parts: list[Samples]) -> Samples:
    """All of some samples, in their order; there must be one."""
    labels = [part.labels() for part in parts]
    whole = {name: np.concatenate([each[name] for each in labels]) for name in labels[0]}
    return replace(Samples.of(whole), pngs=[png for part in parts for png in part.pngs])


def last_of(store: PartStore, part: Part) -> Last:
    """The last face of a part that is there."""
    kept = store.read(part)
    return int(kept["numbers"][-1]), bool(kept["mirrored"][-1])


def face_before(store: PartStore, parts: list[Part], part: Part) -> Last:
    """The face that `part` follows. How far the seed goes for a part depends on the selection, and so on the part
    before it, which must be there."""
    return last_of(store, parts[parts.index(part) - 1]) if part.first else (-1, False)


def up_to(last: Last, numbers: NDArray[np.int64], mirrored: NDArray[np.bool_]) -> int:
    """How many of some faces, in their order, a face `last` is not behind."""
    return sum((n, m) <= last for n, m in zip(numbers, mirrored, strict=True))


@dataclass(frozen=True)
class Chunk:
    """The wanted faces among `looked` ones, and the extremes of what the selection measured."""

    looked: int
    samples: Samples
    seen: Seen


@dataclass(frozen=True)
class Plan:
    """Which latents are drawn and which of their faces are kept; face `number` depends on nothing else.

    Latents are those of the seed, truncated, or, with `centres` `[M, Z]`, neighbours of these in
    turn, up to `radius` units away in each component and inside of the bounds. They ask for `shapes` `[M, n]` in turn,
    where these are given, and all have the attributes `fixed`. Where a pose is asked for they are steered to it, or to
    the `targets` within (yaw, mouth).
    """

    seed: int
    selection: Selection
    truncation: float = 1.0
    mirror: bool = False
    centres: NDArray[np.float32] | None = None
    radius: float = 0.0
    targets: tuple[Range | None, Range | None] | None = None
    shapes: NDArray[np.float32] | None = None
    fixed: tuple[tuple[str, float], ...] = ()

    def steering(self, model: FaceModel) -> Steering | None:
        """What moves latents to the pose that is asked for, if one is."""
        selection = self.selection
        if not (selection.yaw or selection.mouth_open):
            return None
        yaw, mouth_open = self.targets or (selection.yaw, selection.mouth_open)
        return Steering(model.landmarks, model.latent, model.scheme, yaw, mouth_open)

    def asking(self, latent: LatentSpec) -> LatentSpec:
        """The latents of a model with the attributes `fixed`. Whoever draws many gives the model these: what goes with
        attributes is then worked out once."""
        return latent if latent.fixed == self.fixed else replace(latent, fixed=self.fixed)

    def latents(self, first: int, count: int, latent: LatentSpec, steering: Steering | None) -> Latents:
        """Latents `first` to `first + count`: `[count, Z]`."""
        if self.centres is None:
            latent = self.asking(latent)
            z = latent.truncated(latent.draw(count, self.seed, first), latent.by_block(self.truncation))
        else:
            centre = self.centres[np.arange(first, first + count) % len(self.centres)]
            z = around(latent, centre, uniform(count, latent.size, self.seed, first), self.radius)
            z = latent.setting(z, dict(self.fixed))
        if self.shapes is not None:
            z = latent.with_shape(z, self.shapes[np.arange(first, first + count) % len(self.shapes)])
        return z if steering is None else steering(z, first, self.seed)

    def chunk(self, model: FaceModel, steering: Steering | None, first: int) -> Chunk:
        """The wanted ones of `CHUNK` faces; a face's mirror image follows it and is chosen by itself."""
        faces = model.render(self.latents(first, CHUNK, model.latent, steering))
        views = [faces, in_a_mirror(faces, model.scheme)] if self.mirror else [faces]
        wanted, extremes = zip(*(self.selection.wanted(view, model.scheme) for view in views), strict=True)
        at, which = np.nonzero(np.stack(wanted, axis=1))  # face by face
        every = [(views[w], i) for i, w in zip(at, which, strict=True)]
        sure = None if faces.confidence is None else faces.confidence[at]
        points = model.scheme.count
        marks = np.array([view.landmarks[i] for view, i in every], np.float32)
        known = [view.point_confidence[i] for view, i in every if view.point_confidence is not None]
        of_points = np.array(known, np.float32).reshape(-1, points) if model.knows_point_confidence else None
        samples = Samples(
            at + first,
            which == 1,
            marks.reshape(len(every), points, 2),
            sure,
            [encoded(view.images[i]) for view, i in every],
            point_confidence=of_points,
        )
        return Chunk(CHUNK * len(views), samples, reduce(widened, extremes))


def in_a_mirror(faces: Faces, scheme: Scheme) -> Faces:
    """The faces flipped left to right, with their landmarks."""
    marks, sure = mirrored(faces.landmarks, faces.images.shape[2], scheme), faces.point_confidence
    sure = None if sure is None else sure[:, list(scheme.mirror)]
    return replace(faces, images=faces.images[:, :, ::-1], landmarks=marks, point_confidence=sure)


def encoded(image: NDArray[np.uint8]) -> bytes:
    """RGB `[H, W, 3]` as PNG, a fifth larger than Pillow's and 20 times as fast: drawing a face takes less time than
    Pillow's compression of it."""
    import fpng

    return fpng.from_ndarray(np.ascontiguousarray(image))


@contextmanager
def chunks(model: FaceModel, plan: Plan, first: int, executor: Executor) -> Iterator[Iterator[Chunk]]:
    """Chunks from latent `first` on, without end: drawn where `executor` works, or here by a model that stays in this
    process."""
    starts, elsewhere = count(first, CHUNK), model.elsewhere
    if elsewhere is None:
        steering = plan.steering(model)
        yield (plan.chunk(model, steering, start) for start in starts)
    else:
        with executor.answers(_work, starts, (_start, (elsewhere, plan)), parcel=1) as answers:
            yield answers


_worker: tuple[Plan, FaceModel, Steering | None]  # one a worker process


def _start(elsewhere: Callable[[], FaceModel], plan: Plan) -> None:
    global _worker
    model = elsewhere()
    model.latent = plan.asking(model.latent)
    _worker = plan, model, plan.steering(model)


def _work(first: int) -> Chunk:
    plan, model, steering = _worker
    return plan.chunk(model, steering, first)
