"""The `synthesize` stage: a labelled dataset of generated faces."""

import csv
import io
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from lmedge.datasets.card import CARD_FILE, card
from lmedge.datasets.formats import PART_FACES, Format, Shape, check_installed, format_named
from lmedge.datasets.options import SynthesizeConfig
from lmedge.datasets.preview import look_ahead
from lmedge.datasets.stream import Plan, Samples, chunks, in_a_mirror, joined
from lmedge.errors import LmedgeError, UsageError
from lmedge.executor import Executor
from lmedge.folders import making_folder
from lmedge.options import to_json
from lmedge.pictures import SHEET_FACES, contact_sheet
from lmedge.processes import Processes
from lmedge.progress import console, progress
from lmedge.runtime import FaceModel, FaceSampler
from lmedge.runtime.bundle import PRETRAINED_RUN
from lmedge.runtime.gallery import chosen
from lmedge.runtime.selection import Selection, Tally, above, check_confidence, check_pose
from lmedge.storage import Damaged, read_arrays, write_arrays, write_bytes, write_json
from lmedge.versions import versions

if TYPE_CHECKING:
    from lmedge.run import Run

PARTS = ".parts"  # folder of what a continued run needs; gone when the set is whole
PROBE_FACES = 32  # whose size on disk is measured first
FILES = ("[0-9]*.png", "[0-9]*.pts", "[0-9]*.txt", "images", "*.json", "*.csv", "faces-*", "README.md", "card")
SPARE = 64 << 20  # bytes of the disk that are left free
# Options that change no face.
NO_PART_OF_FACES = ("out", "workers", "overwrite", "interpreter", "variant", "source", "count")


@dataclass(frozen=True)
class Synthesized:
    """What was written: `drawn` faces were looked at; `per_second` of those of this call, or 0."""

    out: Path
    count: int
    drawn: int
    per_second: float


def synthesize(config: SynthesizeConfig, executor: Executor | None = None) -> Synthesized:
    """Writes a dataset; see SynthesizeConfig; without an `executor`, in processes of this machine. Raises UsageError or
    LmedgeError; a killed call is continued."""
    executor, format_ = executor or Processes(config.workers), format_named(config.format)
    check_installed(format_)
    selection = Selection(above(config.min_confidence), config.yaw, config.mouth_open)
    selection.check()
    model = _model(config)
    check_confidence(selection, model.knows_confidence, config.source)
    check_pose(selection, model.scheme)
    options = {k: v for k, v in to_json(config).items() if k not in NO_PART_OF_FACES}
    about = {
        "format": format_.name,
        "synthetic": True,
        **model.facts(),
        "versions": versions("numpy", "fpng", *model.packages),
        "options": options,
    }
    shape = Shape(config.count, model.width, model.height, model.scheme, about)
    format_.check(shape)
    probe = Plan(config.seed, Selection(), config.truncation).chunk(model, None, 0).samples[:PROBE_FACES]
    # Another version of a package is no reason to begin again; the card names those that finished the set.
    same = {**{name: fact for name, fact in about.items() if name != "versions"}, "count": config.count}
    with making_folder(config.out, "a set of generated faces", config.overwrite, names=FILES, resume=same) as folder:
        _check_disk(config, format_, shape, probe, _whole_parts(folder / PARTS))
        try:
            made = _made(config, executor, model, selection, format_, shape, folder)
        except LmedgeError:
            if not _whole_parts(folder / PARTS):  # nothing is lost, and another call is not in its way
                for entry in folder.iterdir():
                    shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
            raise
    return replace(made, out=config.out)


def _made(
    config: SynthesizeConfig, executor: Executor, model: FaceModel, selection: Selection, format_: Format, shape: Shape,
    out: Path,
) -> Synthesized:  # fmt: skip
    """Writes what is missing of the set into the folder `out`."""
    centres, about, parts = None, shape.about, out / PARTS
    parts.mkdir(exist_ok=True)
    if config.around is not None:
        from lmedge.datasets.around import centres_around

        found = centres_around(_run(config), config.around, parts, executor, config.keep_all)
        centres = found.z
        about |= {
            "around": {"faces": len(found.z), "left_out": len(found.left_out), "licence": found.licence},
            "licence": f"{about['licence']}; of the photos that it was drawn around: {found.licence}",
        }
        table = io.StringIO()
        csv.writer(table, lineterminator="\n").writerows([("file", "reason"), *found.left_out])
        write_bytes(out / "around.csv", table.getvalue().encode("utf-8", "replace"))
    plan = Plan(config.seed, selection, config.truncation, config.mirror, centres, config.radius)
    preview = look_ahead(plan, model)
    if preview is not None:
        for sentence in preview.sentences():
            console.print(sentence)
        plan = preview.plan
        about |= {"reach": preview.reach, "variety": preview.variety}
    start, before = time.monotonic(), _whole_parts(parts)
    last = _last(parts, before)
    done = min(before * PART_FACES, config.count)
    with progress("synthesize", config.count, "faces", done) as advance:
        for number, samples in enumerate(_in_parts(config, executor, model, plan, done, last, advance), before):
            format_.part(out, number * PART_FACES, samples, shape)
            # The files first: their note says that they are whole.
            write_arrays(parts / f"{number:06}.npz", _arrays(samples))
    per_second = (config.count - done) / (time.monotonic() - start)
    drawn_faces = (_last(parts, _whole_parts(parts))[0] + 1) * (1 + config.mirror)
    about |= {"count": config.count, "drawn": drawn_faces, "rejected": 1 - config.count / drawn_faces}
    format_.finish(out, lambda: _labels(parts), shape)
    write_bytes(out / "README.md", card(shape).encode())
    _contact_sheet(out, plan, model, next(_labels(parts)))
    write_json(out / CARD_FILE, {**about, "scheme": shape.scheme.to_json()})
    shutil.rmtree(parts)
    return Synthesized(out, config.count, drawn_faces, per_second)


def _model(config: SynthesizeConfig) -> FaceModel:
    """What draws: a bundle's model, or a run's. Raises UsageError, LmedgeError."""
    if config.around is not None and not config.around.exists():
        raise UsageError(f"--around {config.around} does not exist; name a dataset, a folder of photos or a photo.")
    if config.around is not None or (config.source and (config.source / "config.json").is_file()):
        return _run(config).face_model()
    return FaceSampler(chosen(config.source), config.variant, config.interpreter, threads=1)


def _run(config: SynthesizeConfig) -> "Run":
    """The run whose generator is inverted, or drawn from. Raises UsageError for a bundle."""
    from lmedge.run import Run

    if config.source is not None and not (config.source / "config.json").is_file():
        raise UsageError(
            f"--around needs a run, whose generator can be inverted, and {config.source} is none; name the run that "
            "the bundle was exported from."
        )
    return Run.open(config.source or PRETRAINED_RUN)


def _check_disk(config: SynthesizeConfig, format_: Format, shape: Shape, probe: Samples, whole: int) -> None:
    """Refuses what the disk has no room for. Raises UsageError with the space it needs."""
    place = config.out.absolute()
    while not place.exists():
        place = place.parent
    disk = os.statvfs(place)
    png = float(np.mean([len(data) for data in probe.pngs]))
    left = config.count - whole * PART_FACES
    labels = 8 * shape.scheme.count + 17  # what `.parts` keeps of a face until the end
    needed = max(left, 0) * (format_.bytes_per_face(png, shape.scheme.count, disk.f_frsize) + labels)
    free = disk.f_bavail * disk.f_frsize
    sizes = f"{_gib(needed)} and the disk of {place} has {_gib(free)} free"
    if needed + SPARE > free:
        raise UsageError(f"--count {config.count} needs about {sizes}; take fewer faces or another --out.")
    files = left * format_.files_per_face
    if disk.f_files and files > disk.f_favail:
        raise UsageError(
            f"--count {config.count} needs {files:,} files and the disk of {place} can take {disk.f_favail:,}; take "
            "--format webdataset or tfrecord."
        )


def _gib(size: float) -> str:
    return f"{size / (1 << 30):.1f} GiB" if size >= 1 << 30 else f"{size / (1 << 20):.1f} MiB"


def _in_parts(
    config: SynthesizeConfig, executor: Executor, model: FaceModel, plan: Plan, done: int, last: tuple[int, bool],
    advance: Any,
) -> Iterator[Samples]:  # fmt: skip
    """The faces that are missing, a part at a time. Raises LmedgeError where hardly one is wanted."""
    if done == config.count:
        return
    tally, missing = Tally(plan.selection), config.count - done
    some: list[Samples] = []
    with chunks(model, plan, max(last[0], 0), executor) as stream:
        for chunk in stream:
            samples = chunk.samples
            tally.add(chunk.looked, len(samples), chunk.seen)
            old = sum((n, m) <= last for n, m in zip(samples.numbers, samples.mirrored, strict=True))
            samples = samples[old : old + missing]
            missing -= len(samples)
            advance(len(samples), "" if plan.selection.wants_all else f"{tally.share:.1%} of the drawn ones are kept")
            some.append(samples)
            there = sum(map(len, some))
            while there >= PART_FACES or (there and not missing):
                whole = joined(some)
                yield whole[:PART_FACES]
                some = [whole[PART_FACES:]]
                there = len(some[0])
            if not missing:
                return


def _arrays(samples: Samples) -> dict[str, Any]:
    arrays = {"numbers": samples.numbers, "mirrored": samples.mirrored, "landmarks": samples.landmarks}
    return arrays if samples.confidence is None else {**arrays, "confidence": samples.confidence}


def _whole_parts(parts: Path) -> int:
    """How many parts are whole; they are written in order."""
    return sum(1 for _ in parts.glob("[0-9]*.npz"))


def _part(parts: Path, number: int) -> Samples:
    try:
        arrays: dict[str, Any] = read_arrays(parts / f"{number:06}.npz", ("numbers", "mirrored", "landmarks"))
    except Damaged:
        raise LmedgeError(f"{parts}/{number:06}.npz is damaged; delete {parts.parent} and run again.") from None
    return Samples(arrays["numbers"], arrays["mirrored"], arrays["landmarks"], arrays.get("confidence"), [])


def _labels(parts: Path) -> Iterator[Samples]:
    return (_part(parts, number) for number in range(_whole_parts(parts)))


def _last(parts: Path, whole: int) -> tuple[int, bool]:
    """The latent of the last face that is there, and whether it is the mirror image."""
    if not whole:
        return -1, False
    samples = _part(parts, whole - 1)
    return int(samples.numbers[-1]), bool(samples.mirrored[-1])


def _contact_sheet(out: Path, plan: Plan, model: FaceModel, samples: Samples) -> None:
    """card/contact.png: the first faces with their landmarks, where no reader takes it for a face."""
    faces, steering = [], plan.steering(model)
    for number, mirror in zip(samples.numbers[:SHEET_FACES], samples.mirrored[:SHEET_FACES], strict=True):
        face = model.render(plan.latents(int(number), 1, model.latent, steering))
        faces.append(in_a_mirror(face, model.scheme) if mirror else face)
    (out / "card").mkdir(exist_ok=True)
    sheet = contact_sheet([face.images[0] for face in faces], [face.landmarks[0] for face in faces], model.scheme)
    Image.fromarray(sheet).save(out / "card" / "contact.png")
