"""Where the faces of a detector come from: photos that people labelled, datasets, models that draw them."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lmedge.annotators.annotator import Annotator
from lmedge.annotators.looking import look
from lmedge.annotators.pts import Pts, beside
from lmedge.annotators.registry import looking
from lmedge.crop import crop_of
from lmedge.detector.diet import LabelledFaces
from lmedge.errors import UsageError
from lmedge.executor import Executor
from lmedge.faces.about import DATASET_FILE, WHAT
from lmedge.faces.crop import Cutting
from lmedge.faces.prepare import cut_photos
from lmedge.faces.records import FaceDataset
from lmedge.faces.sources import Source, find_photos, fingerprint
from lmedge.folders import half_made
from lmedge.progress import console, progress
from lmedge.provenance import Provenance
from lmedge.runtime import FaceModel
from lmedge.runtime.selection import Selection, Tally, above
from lmedge.scheme import IBUG68, Scheme, converted
from lmedge.storage import read_json

LEAST_CONFIDENCE = 0.2  # of generated faces
HELD_OUT = 0.1  # of the groups of a dataset
CHUNK = 64  # faces drawn at a time
VERBS = ("train-detector", "study")  # that make photos into datasets of their own


@dataclass(frozen=True)
class Given:
    """Labelled faces that the user names with `option` of `verb`, whose own folder is `out`: photos with .pts files
    beside them, or a dataset."""

    place: Path
    option: str
    verb: str
    out: Path

    @property
    def made(self) -> Path:
        """The dataset of the photos, beside the folder: OUT-real of `--real`."""
        out = self.out if self.out.name not in ("", "..") else self.out.resolve()
        return out.parent / f"{out.name}-{self.option.strip('-').lower()}"

    @property
    def is_dataset(self) -> bool:
        return (self.place / DATASET_FILE).exists() or half_made(self.place)

    def photos(self) -> list[Source]:
        """Raises UsageError for a place without photos that have .pts files."""
        try:
            sources = find_photos((self.place,), None) if self.place.is_dir() else []
        except UsageError:
            sources = []
        if not any(beside(source.path).is_file() for source in sources):
            raise UsageError(
                f"{self.option} {self.place} is no folder of photos with .pts files beside them and no dataset made by "
                "`lmedge prepare`; name one of them."
            )
        return sources


def cutting_like(provenance: Provenance, scheme: Scheme, size: int, given: Scheme | None = None) -> Cutting:
    """How photos with .pts files become faces beside those of `provenance`: cut in the same way, with the points of
    `scheme`. The files have those of `given`; None: iBUG's 68, or where these lack one those of `scheme` itself."""
    if given is None:
        given = IBUG68 if IBUG68.places.keys() >= set(scheme.points) else scheme
    return Cutting(Pts(given), scheme, size, *crop_of(provenance))


def dataset_at(given: Given, cutting: Cutting, executor: Executor, overwrite: bool) -> FaceDataset:
    """The dataset that is `given`, or the one that is made of the photos there, once. Raises UsageError for a place
    that holds neither, for photos that have changed since, and where the user has a dataset of others in its place."""
    if given.is_dataset:
        return FaceDataset(given.place)
    sources, made = given.photos(), given.made
    if (made / DATASET_FILE).exists():
        there = read_json(made / DATASET_FILE, WHAT)
        if not overwrite and there.get("photos_sha256") == fingerprint(sources):
            return FaceDataset(made)
        if there.get("made_by") not in VERBS:
            raise UsageError(
                f"{made} is a dataset of yours and is not replaced by one of the photos in {given.place}; name it as "
                f"{given.option}, or another --out."
            )
        if not overwrite:
            raise UsageError(
                f"{made} was made from other photos than {given.place} has now; add --overwrite or name another --out."
            )
    found = cut_photos(sources, made, cutting, executor=executor, overwrite=overwrite, made_by=given.verb)
    left_out = sum(found.rejected.values())
    console.print(
        f"{given.place}: {found.count} faces in {made}, {left_out} photos left out ({made}/rejected.csv says why)"
    )
    return FaceDataset(made)


def check_same_kind(dataset: FaceDataset, size: int, scheme: Scheme, generated: Provenance) -> None:
    """Raises UsageError for faces of another size than the generated ones, with landmarks that cannot be turned into
    those of `scheme`, or cut out of photos in another way."""
    if dataset.size != size:
        raise UsageError(
            f"{dataset.path} has faces of {dataset.size} pixels and the generated ones have {size}; make "
            f"it again with --size {size}."
        )
    converted(dataset.landmarks[:1], dataset.scheme, scheme)
    both = dataset.provenance.origin, generated.origin
    if all(one.crop for one in both) and crop_of(both[0]) != crop_of(both[1]):  # none of drawn ones
        own, (crop, margin) = crop_of(both[0]), crop_of(both[1])
        raise UsageError(
            f"{dataset.path} has faces cut with --crop {own[0]} --margin {own[1]:g}, and the generated ones are as if "
            f"cut with --crop {crop} --margin {margin:g}; make it again so."
        )


def refuse_shared(real: FaceDataset, test: FaceDataset) -> None:
    """Raises UsageError for faces that are in both."""

    def pictures(dataset: FaceDataset) -> set[bytes]:
        return {hashlib.sha256(image.tobytes()).digest() for image in dataset.images(np.arange(len(dataset)))}

    both = len(pictures(real) & pictures(test))
    if both:
        raise UsageError(f"--test {test.path} shares {both} faces with {real.path}; test on others.")


def labelled(dataset: FaceDataset, scheme: Scheme) -> LabelledFaces:
    """All faces of a dataset, with the points of `scheme`."""
    marks = converted(dataset.landmarks, dataset.scheme, scheme)
    return LabelledFaces(dataset.images(np.arange(len(dataset))), marks, scheme)


def parted(
    faces: LabelledFaces, groups: NDArray[np.str_], where: str, seed: int
) -> tuple[LabelledFaces, LabelledFaces]:
    """Faces to learn from, and those of `HELD_OUT` of all groups `[N]`, at least of one, to test on; the same for the
    same seed. Raises UsageError for a single group, with `where` it is."""
    names = np.random.default_rng(seed).permutation(np.unique(groups))
    if len(names) < 2:
        raise UsageError(f"{where} has one group of faces, and none would be left to test on; take more of them.")
    out = np.isin(groups, names[: max(1, round(HELD_OUT * len(names)))])
    return faces[np.flatnonzero(~out)], faces[np.flatnonzero(out)]


def drawn(model: FaceModel, count: int, seed: int) -> LabelledFaces:
    """The first `count` faces of a seed, of all that a model draws, but for those whose landmarks it is least sure of.
    They stay in memory: they are drawn faster than they would be read."""
    selection = Selection(above(LEAST_CONFIDENCE if model.knows_confidence else 0.0))
    tally, parts = Tally(selection), list[LabelledFaces]()
    with progress("generated faces", count, "faces") as advance:
        while (left := count - tally.found) > 0:
            faces = model.sample(CHUNK, seed, tally.looked, truncation=1.0)
            wanted, seen = selection.wanted(faces, model.scheme)
            tally.add(CHUNK, int(wanted.sum()), seen)
            parts.append(LabelledFaces(faces.images[wanted], faces.landmarks[wanted], model.scheme))
            advance(min(len(parts[-1]), left))
    images, marks = (np.concatenate(each) for each in zip(*((p.images, p.landmarks) for p in parts), strict=True))
    return LabelledFaces(images[:count], marks[:count], model.scheme)


def who_looks(generated: Provenance, scheme: Scheme) -> Annotator | None:
    """The annotator that L-Gen learnt from, or Face Mesh where that one cannot look; None where neither places the
    points of `scheme`."""
    annotator, placed = looking(generated, scheme)
    return annotator if placed == scheme else None


def tells(annotator: Annotator | None, generated: Provenance, real: Provenance) -> bool:
    """Does what an annotator finds on real faces say how the landmarks of generated ones have to move? Only where it
    speaks as L-Gen does, and the real ones are another's."""
    return annotator is not None and annotator.name == generated.origin.annotator != real.origin.annotator


def found_on(
    annotator: Annotator, images: NDArray[np.uint8], scheme: Scheme, executor: Executor
) -> NDArray[np.float32]:
    """What an annotator finds on faces, `[N, K, 2]` in pixels; nan where it finds nothing."""
    found = np.full((len(images), scheme.count, 2), np.nan, np.float32)
    with progress(f"{annotator.title} on real faces", len(images), "faces") as advance:
        seen = look(annotator, images, scheme, advance, executor=executor)
    found[seen.at] = seen.landmarks
    return found
