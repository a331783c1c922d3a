"""The faces of a study: real ones to learn from, others to test on, generated ones, and what somebody sees on them."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lmedge.annotators.annotator import Annotator
from lmedge.annotators.looking import look
from lmedge.annotators.registry import annotator_named, looking
from lmedge.datasets.options import SynthesizeConfig
from lmedge.detector.network import LabelledFaces
from lmedge.errors import UsageError
from lmedge.executor import Executor
from lmedge.faces.about import DATASET_FILE
from lmedge.faces.records import FaceDataset
from lmedge.folders import half_made
from lmedge.progress import console, progress
from lmedge.runtime.bundle import Bundle
from lmedge.scheme import Scheme, converted
from lmedge.shipped import bundle_at
from lmedge.storage import read_arrays, write_arrays
from lmedge.study.options import StudyConfig

LEAST_CONFIDENCE = 0.2  # of the generated faces
SEEN_FILE = "seen.npz"


def real_and_test(config: StudyConfig, executor: Executor) -> tuple[FaceDataset, FaceDataset]:
    """The faces to learn from and those to test on. Photos with .pts files are made into datasets first, beside the
    folder of the study: OUT-real and OUT-test. Raises UsageError for faces that are in both, LmedgeError for a place
    that holds neither dataset nor photos."""
    real = _dataset(config.real, "real", config, executor)
    test = _dataset(config.test, "test", config, executor)

    def pictures(dataset: FaceDataset) -> set[bytes]:
        return {hashlib.sha256(image.tobytes()).digest() for image in dataset.images(np.arange(len(dataset)))}

    both = len(pictures(real) & pictures(test))
    if both:
        raise UsageError(f"--test {config.test} shares {both} faces with {config.real}; test on others.")
    return real, test


def _dataset(place: Path, name: str, config: StudyConfig, executor: Executor) -> FaceDataset:
    if not place.is_dir() or (place / DATASET_FILE).exists() or half_made(place):
        return FaceDataset(place)
    from lmedge.faces.crop import Cutting
    from lmedge.faces.prepare import cut_photos
    from lmedge.faces.sources import find_photos, fingerprint

    out = config.out.with_name(f"{config.out.name}-{name}")
    if (out / DATASET_FILE).exists() and not config.overwrite:
        made = FaceDataset(out)
        if made.about.get("photos_sha256") == fingerprint(find_photos((place,), None)):
            return made
        raise UsageError(
            f"{out} was made from other photos than {place} has now; add --overwrite or name another --out."
        )
    if config.synthetic:
        like = FaceDataset(config.synthetic)
        cutting = Cutting(annotator_named("pts"), like.scheme, like.size)
    else:
        drawing = Bundle.open(bundle_at(None, config.model))
        cutting = Cutting(annotator_named("pts"), drawing.scheme, drawing.about["image"]["width"])
    found = cut_photos(find_photos((place,), None), out, cutting, executor=executor, overwrite=config.overwrite)
    left_out = sum(found.rejected.values())
    console.print(f"{place}: {found.count} faces in {out}, {left_out} photos left out ({out}/rejected.csv says why)")
    return FaceDataset(out)


def generated(config: StudyConfig, executor: Executor) -> FaceDataset:
    """A dataset of the user's, or one that is drawn now."""
    if config.synthetic is not None:
        return FaceDataset(config.synthetic)
    from lmedge.datasets.synthesize import synthesize

    out = config.out / "synthetic"
    if not (out / DATASET_FILE).exists():
        synthesize(SynthesizeConfig(out=out, model=config.model, count=config.generated, format="tfrecord",
                                    min_confidence=LEAST_CONFIDENCE), executor)  # fmt: skip
    return FaceDataset(out)


def check_same_kind(dataset: FaceDataset, synthetic: FaceDataset) -> None:
    """Raises UsageError for faces of another size or with landmarks that cannot be turned into the generated ones'."""
    if dataset.size != synthetic.size:
        raise UsageError(
            f"{dataset.path} has faces of {dataset.size} pixels and the generated ones have {synthetic.size}; make "
            f"it again with --size {synthetic.size}."
        )
    converted(dataset.landmarks[:1], dataset.scheme, synthetic.scheme)


def labelled(dataset: FaceDataset, scheme: Scheme) -> LabelledFaces:
    """All faces of a dataset, with the points of `scheme`."""
    marks = converted(dataset.landmarks, dataset.scheme, scheme)
    return LabelledFaces(dataset.images(np.arange(len(dataset))), marks, scheme)


@dataclass(frozen=True)
class Seen:
    """What `annotator` finds on `real` and `test` faces `[N, K, 2]`, nan where it finds nothing; None where nobody can
    place the points. Landmarks of generated faces move by what it finds on real ones where it `speaks` as L-Gen does,
    and the real ones are another's."""

    annotator: Annotator | None
    real: NDArray[np.float32]
    test: NDArray[np.float32]
    speaks: bool


def seen_on(out: Path, real: FaceDataset, test: FaceDataset, synthetic: FaceDataset, executor: Executor) -> Seen:
    """What the annotator that L-Gen learnt from finds on real and test faces, or Face Mesh where that one cannot look:
    kept in the folder."""
    scheme, whose = synthetic.scheme, synthetic.provenance.origin.annotator
    annotator, placed = looking(synthetic.provenance, scheme)
    found = {name: np.full((len(faces), scheme.count, 2), np.nan, np.float32)
             for name, faces in (("real", real), ("test", test))}  # fmt: skip
    if placed != scheme:
        return Seen(None, **found, speaks=False)
    file = out / SEEN_FILE
    if file.exists():
        found = read_arrays(file, ("real", "test"))
    else:
        with progress(f"{annotator.title} on real faces", len(real) + len(test), "faces") as advance:
            for name, dataset in (("real", real), ("test", test)):
                faces = dataset.images(np.arange(len(dataset)))
                seen = look(annotator, faces, scheme, advance, executor=executor)
                found[name][seen.at] = seen.landmarks
        write_arrays(file, found)
    speaks = annotator.name == whose != real.provenance.origin.annotator
    return Seen(annotator, **found, speaks=speaks)
