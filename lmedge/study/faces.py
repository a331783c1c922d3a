"""The faces of a study: real ones to learn from, others to test on, generated ones, and what Face Mesh says of them."""

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lmedge.annotators.registry import annotator_named
from lmedge.datasets.options import SynthesizeConfig
from lmedge.detector.network import LabelledFaces
from lmedge.errors import UsageError
from lmedge.executor import Executor
from lmedge.faces.records import DATASET_FILE, FaceDataset
from lmedge.folders import half_made
from lmedge.progress import console, progress
from lmedge.runtime.bundle import PRETRAINED, Bundle
from lmedge.scheme import Scheme, converted
from lmedge.storage import read_arrays, write_arrays
from lmedge.study.options import StudyConfig

LEAST_CONFIDENCE = 0.2  # of the generated faces


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
        drawing = Bundle.open(PRETRAINED)
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
        synthesize(SynthesizeConfig(out=out, count=config.generated, format="tfrecord",
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


def face_mesh(out: Path, real: FaceDataset, test: FaceDataset, scheme: Scheme) -> dict[str, NDArray[np.float32]]:
    """What Face Mesh finds on real and test faces, nan where it finds nothing: kept in the folder."""
    file = out / "face_mesh.npz"
    if file.exists():
        return read_arrays(file, ("real", "test"))
    found = {}
    with progress("Face Mesh on real faces", len(real) + len(test), "faces") as advance, \
            annotator_named("mediapipe") as mesh:  # fmt: skip
        for name, dataset in (("real", real), ("test", test)):
            points = np.full((len(dataset), scheme.count, 2), np.nan, np.float32)
            for i, face in enumerate(dataset.images(np.arange(len(dataset)))):
                marks = mesh.of_face(face, scheme)
                points[i] = np.nan if marks is None else marks
                advance(1)
            found[name] = points
    write_arrays(file, found)
    return found
