"""The `synthesize` stage: a labelled dataset of generated faces."""

import os
import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lmedge.attribute_names import asked_values
from lmedge.attributes.sheet import sheet
from lmedge.datasets.afar import Work, opened, write_parts
from lmedge.datasets.card import CARD_FILE, card
from lmedge.datasets.formats import PART_FACES, Format, Shape, check_installed, format_named
from lmedge.datasets.given_shapes import given_shapes
from lmedge.datasets.looker import looker_of
from lmedge.datasets.options import SynthesizeConfig
from lmedge.datasets.preview import look_ahead
from lmedge.datasets.stream import Chunk, Last, Plan, Samples, chunks, face_before, in_a_mirror, joined, last_of, up_to
from lmedge.datasets.visibility import least_sure
from lmedge.errors import LmedgeError, UsageError
from lmedge.executor import Executor
from lmedge.folders import making_folder
from lmedge.options import to_json
from lmedge.parts import Columns, Part, PartStore, going_on, split, stretches
from lmedge.pictures import SHEET_FACES, contact_sheet, write_picture
from lmedge.place import executor_on
from lmedge.progress import console
from lmedge.runtime import FaceModel, Faces, FaceSampler
from lmedge.runtime.gallery import chosen
from lmedge.runtime.selection import Selection, Tally, above, check_confidence, check_pose
from lmedge.shipped import run_at
from lmedge.storage import remove_folder, write_bytes, write_json, write_table
from lmedge.url import Url
from lmedge.versions import versions

if TYPE_CHECKING:
    from lmedge.run import Run

PARTS = ".parts"  # folder of what a continued run needs; gone when the set is whole
COLUMNS: Columns = {"numbers": (1, "i"), "mirrored": (1, "b"), "landmarks": (3, "f")}
COUNT = 1000  # faces, where nothing is said
PROBE_FACES = 32  # whose size on disk is measured first
FILES = ("README.md", "card", CARD_FILE, "around.csv", "confidence.csv", "attributes.csv")  # beside those of the format
SPARE = 64 << 20  # bytes of the disk that are left free
# Options that change no face.
NO_PART_OF_FACES = ("out", "workers", "overwrite", "on", "interpreter", "variant", "source", "model", "count")


@dataclass(frozen=True)
class Synthesized:
    """What was written: `drawn` faces were looked at; `per_second` of those of this call, or 0."""

    out: Path
    count: int
    drawn: int
    per_second: float


def synthesize(config: SynthesizeConfig, executor: Executor | None = None) -> Synthesized:
    """Writes a dataset; see SynthesizeConfig; without an `executor`, where `--on` says. Raises UsageError or
    LmedgeError; a killed call is continued."""
    executor, format_ = executor or executor_on(config.on, config.workers), format_named(config.format)
    check_installed(format_)
    selection = Selection(above(config.min_confidence), config.yaw, config.mouth_open)
    selection.check()
    model = _model(config)
    check_confidence(selection, model.knows_confidence, config.source)
    check_pose(selection, model.scheme)
    least = least_sure(config.min_point_confidence, model, format_)
    given = given_shapes(model, config.shapes, config.pts_scheme)
    model.latent = model.latent.fixing(asked_values(config.set, "--set"), config.source or model.name, "--set")
    looker = looker_of(config.attributes)
    count = config.count or (COUNT if given is None else len(given.shape))
    options = {k: v for k, v in to_json(config).items() if k not in NO_PART_OF_FACES}
    about = {
        "format": format_.name,
        "synthetic": True,
        **model.facts(),
        "versions": versions("numpy", "fpng", *model.packages),
        "options": options,
        **({} if given is None else {"shapes": given.facts}),
        **({} if looker is None else {"attributes": looker.facts}),
    }
    names = () if looker is None else looker.names
    shape = Shape(count, model.width, model.height, model.scheme, about, names, least)
    format_.check(shape)
    shapes = None if given is None else given.shape
    plain = Plan(config.seed, Selection(), config.truncation, shapes=shapes, fixed=model.latent.fixed)
    probe = plain.chunk(model, None, 0).samples[:PROBE_FACES]
    # Another version of a package is no reason to begin again; the card names those that finished the set.
    same = {name: fact for name, fact in about.items() if name != "versions"}
    same |= {"count": count, "part": PART_FACES}
    files = (*FILES, *format_.files)
    with making_folder(config.out, "a set of generated faces", config.overwrite, names=files, resume=same) as folder:
        store = _labels_in(folder, model, names)
        _check_disk(config.out, format_, shape, probe, max(count - len(store.files) * PART_FACES, 0))
        parts = split(count, PART_FACES)
        missing = store.missing(parts)
        try:
            plan = _plan(config, executor, model, replace(plain, selection=selection), about, folder)
            began = time.monotonic()
            with going_on("synthesize", config.out, "faces", parts, missing) as advance:
                if executor.far:
                    elsewhere = opened(model, run_at(config.source, config.model))
                    work = Work(elsewhere, plan, format_, folder, shape, store, config.attributes)
                    write_parts(work, parts, missing, executor, model.elsewhere is None, advance)
                else:
                    for part, drawn_faces in _in_parts(store, parts, missing, model, plan, executor, advance):
                        samples = drawn_faces if looker is None else looker(drawn_faces)
                        format_.part(folder, part.first, samples, shape)
                        store.write(part, samples.labels())
            per_second = sum(part.count for part in missing) / (time.monotonic() - began)
        except BaseException as error:
            _tidy(folder, store, missing, isinstance(error, LmedgeError))
            raise
        drawn = _finish(folder, format_, shape, plan, model, store, parts)
    return Synthesized(config.out, count, drawn, per_second)


def _labels_in(out: Path, model: FaceModel, attributes: tuple[str, ...]) -> PartStore:
    """What is kept of the faces until all of them are there: everything but the pictures."""
    sure = {"confidence": (1, "f")} if model.knows_confidence else {}
    of_points = {"point_confidence": (2, "f")} if model.knows_point_confidence else {}
    shown = {"attributes": (2, "f")} if attributes else {}
    return PartStore(out / PARTS, {**COLUMNS, **sure, **of_points, **shown})


def _tidy(out: Path, store: PartStore, missing: list[Part], refused: bool) -> None:
    """Deletes what the same command would make again: faces of parts that are not whole. Of a call that was `refused`
    before its first part everything, so that it is not in the way of another. In an object store the rest stays until
    the same command replaces it: to delete thousands of objects takes longer than Ctrl-C waits."""
    if isinstance(out, Url):
        if refused and not store.files:
            out.remove()
        return
    again = {part.key for part in missing if not store.file(part).exists()}
    for file in (*out.iterdir(), *(out / "images").glob("*")):
        named = re.match(r"(faces-)?([0-9]{5,})", file.name)
        part = int(named[2]) // (1 if named[1] else PART_FACES) if named else None
        if file.is_file() and (part in again if named else not store.files):
            file.unlink()
    if refused and not store.files:
        remove_folder(store.folder)


def _plan(
    config: SynthesizeConfig, executor: Executor, model: FaceModel, plan: Plan, about: dict[str, Any], out: Path
) -> Plan:
    """Which faces are drawn, where `plan` says what all sets have; what the card says of it goes into `about`."""
    centres = None
    if config.around is not None:
        from lmedge.datasets.around import centres_around

        (out / PARTS).mkdir(exist_ok=True)
        found = centres_around(_run(config), config.around, out / PARTS, executor, config.keep_all)
        centres = found.z
        licence = f"{about['licence']}; of the photos that it was drawn around: {found.licence}"
        about |= {
            "around": {"faces": len(found.z), "left_out": len(found.left_out), "licence": found.licence},
            "licence": licence,
            "provenance": {**about["provenance"], "licence": licence},
        }
        write_table(out / "around.csv", [("file", "reason"), *found.left_out])
    plan = replace(plan, mirror=config.mirror, centres=centres, radius=config.radius)
    preview = look_ahead(plan, model)
    if preview is None:
        return plan
    for sentence in preview.sentences():
        console.print(sentence)
    about |= {"reach": preview.reach, "variety": preview.variety}
    return preview.plan


def _finish(
    out: Path, format_: Format, shape: Shape, plan: Plan, model: FaceModel, store: PartStore, parts: list[Part]
) -> int:
    """Writes what only the whole set can say; gives the number of faces that were drawn for it."""
    drawn = (last_of(store, parts[-1])[0] + 1) * (1 + plan.mirror)
    shape.about.update(count=shape.count, drawn=drawn, rejected=1 - shape.count / drawn)
    format_.finish(out, lambda: (Samples.of(store.read(part)) for part in parts), shape)
    write_bytes(out / "README.md", card(shape).encode())
    _contact_sheet(out, plan, model, Samples.of(store.read(parts[0])))
    if shape.attributes:
        _attribute_sheet(out, plan, model, joined([Samples.of(store.read(part)) for part in parts]), shape.attributes)
    write_json(out / CARD_FILE, {**shape.about, "scheme": shape.scheme.to_json()})
    remove_folder(store.folder)
    return drawn


def _model(config: SynthesizeConfig) -> FaceModel:
    """What draws: a bundle's model, or a run's. Raises UsageError, LmedgeError."""
    if config.around is not None and isinstance(config.out, Url):
        raise UsageError(f"--out {config.out}: a set --around photos keeps them as a dataset meanwhile; name a folder.")
    if config.around is not None and not config.around.exists():
        raise UsageError(f"--around {config.around} does not exist; name a dataset, a folder of photos or a photo.")
    if config.around is not None or (config.source and (config.source / "config.json").is_file()):
        return _run(config).face_model()
    return FaceSampler(chosen(config.source, config.model), config.variant, config.interpreter, threads=1)


def _run(config: SynthesizeConfig) -> "Run":
    """The run whose generator is inverted, or drawn from. Raises UsageError for a bundle."""
    from lmedge.run import Run

    path = run_at(config.source, config.model)
    if not (path / "config.json").is_file():
        raise UsageError(
            f"--around needs a run, whose generator can be inverted, and {path} is none; name the run that the bundle "
            "was exported from."
        )
    return Run.open(path)


def _check_disk(out: Path, format_: Format, shape: Shape, probe: Samples, left: int) -> None:
    """Refuses what the disk has no room for. Raises UsageError with the space it needs."""
    if isinstance(out, Url):
        return
    place = out.absolute()
    while not place.exists():
        place = place.parent
    disk = os.statvfs(place)
    png = float(np.mean([len(data) for data in probe.pngs]))
    labels = 8 * shape.scheme.count + 17  # what `.parts` keeps of a face until the end
    labels += 0 if probe.point_confidence is None else (4 + 8) * shape.scheme.count  # and as text, in any format
    needed = left * (format_.bytes_per_face(png, shape.scheme.count, disk.f_frsize) + labels)
    free = disk.f_bavail * disk.f_frsize
    sizes = f"{_gib(needed)} and the disk of {place} has {_gib(free)} free"
    if needed + SPARE > free:
        raise UsageError(f"--count {shape.count} needs about {sizes}; take fewer faces or another --out.")
    files = left * format_.files_per_face
    if disk.f_files and files > disk.f_favail:
        raise UsageError(
            f"--count {shape.count} needs {files:,} files and the disk of {place} can take {disk.f_favail:,}; take "
            "--format webdataset or tfrecord."
        )


def _gib(size: float) -> str:
    return f"{size / (1 << 30):.1f} GiB" if size >= 1 << 30 else f"{size / (1 << 20):.1f} MiB"


def _in_parts(
    store: PartStore, parts: list[Part], missing: list[Part], model: FaceModel, plan: Plan, executor: Executor,
    advance: Any,
) -> Iterator[tuple[Part, Samples]]:  # fmt: skip
    """The faces of the missing parts. Raises LmedgeError where hardly one is wanted."""
    tally = Tally(plan.selection)
    for stretch in stretches(missing):
        last = face_before(store, parts, stretch[0])
        with chunks(model, plan, max(last[0], 0), executor) as stream:
            yield from _stretch(stretch, stream, last, tally, advance)


def _stretch(
    stretch: list[Part], stream: Iterator[Chunk], last: Last, tally: Tally, advance: Any
) -> Iterator[tuple[Part, Samples]]:
    """The faces of parts that follow each other, behind the face `last`."""
    left, some = sum(part.count for part in stretch), list[Samples]()
    for part in stretch:
        while sum(map(len, some)) < part.count:
            chunk = next(stream)
            samples = chunk.samples
            tally.add(chunk.looked, len(samples), chunk.seen)
            old = up_to(last, samples.numbers, samples.mirrored)
            samples = samples[old : old + left]
            left -= len(samples)
            advance(len(samples), tally.note)
            some.append(samples)
        whole = joined(some)
        yield part, whole[: part.count]
        some = [whole[part.count :]]


def _contact_sheet(out: Path, plan: Plan, model: FaceModel, samples: Samples) -> None:
    """card/contact.png: the first faces with their landmarks, where no reader takes it for a face."""
    faces = _again(plan, model, samples, range(min(len(samples), SHEET_FACES)))
    (out / "card").mkdir(exist_ok=True)
    picture = contact_sheet([face.images[0] for face in faces], [face.landmarks[0] for face in faces], model.scheme)
    write_picture(out / "card" / "contact.png", picture)


def _attribute_sheet(out: Path, plan: Plan, model: FaceModel, samples: Samples, names: tuple[str, ...]) -> None:
    """card/attributes.png: the faces that have the least and the most of each attribute."""

    def images(some: NDArray[np.int64]) -> NDArray[np.uint8]:
        return np.concatenate([face.images for face in _again(plan, model, samples, some.tolist())])

    if samples.attributes is not None and len(samples) > 1:
        write_picture(out / "card" / "attributes.png", sheet(images, names, samples.attributes))


def _again(plan: Plan, model: FaceModel, samples: Samples, some: Iterable[int]) -> list[Faces]:
    """Some of the samples, drawn again."""
    faces, steering = [], plan.steering(model)
    for i in some:
        face = model.render(plan.latents(int(samples.numbers[i]), 1, model.latent, steering))
        faces.append(in_a_mirror(face, model.scheme) if samples.mirrored[i] else face)
    return faces
