"""What gives a detector its generated faces: a model that draws them, or a dataset."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lmedge.datasets.card import CARD_FILE
from lmedge.detecting.options import TrainDetectorConfig
from lmedge.detector.diet import LabelledFaces
from lmedge.detector.faces import drawn, labelled, parted
from lmedge.errors import UsageError
from lmedge.faces.about import DATASET_FILE
from lmedge.faces.records import FaceDataset
from lmedge.folders import half_made
from lmedge.provenance import Provenance
from lmedge.run import Run
from lmedge.runtime import FaceModel, FaceSampler
from lmedge.runtime.gallery import chosen
from lmedge.scheme import Scheme
from lmedge.shipped import bundle_at

HELD_OUT_FACES = 500  # generated ones beyond those that are learnt from


@dataclass(frozen=True)
class Generated:
    """Faces of `size` pixels with the landmarks of `scheme`, of `provenance`. `faces(seed)` gives those to learn from,
    and others."""

    size: int
    scheme: Scheme
    provenance: Provenance
    faces: Callable[[int], tuple[LabelledFaces, LabelledFaces]]


def generated(config: TrainDetectorConfig) -> Generated:
    """Those that SOURCE gives; none is drawn yet. Raises UsageError, LmedgeError for a place that gives none."""
    place = bundle_at(config.source, config.model)
    if (place / DATASET_FILE).is_file() or half_made(place):
        return _of_dataset(FaceDataset(place))
    if (place / CARD_FILE).is_file():
        raise UsageError(
            f"{place} has generated faces in another format; make them again with `lmedge synthesize --format "
            "tfrecord`, or name the run or bundle that drew them."
        )
    return _of_model(_model(config, place), config.generated, place)


def _model(config: TrainDetectorConfig, place: Path) -> FaceModel:
    if (place / "config.json").is_file():
        return Run.open(place).face_model()
    return FaceSampler(chosen(config.source, config.model))


def _of_model(model: FaceModel, count: int, place: Path) -> Generated:
    if model.width != model.height:
        raise UsageError(f"{place} draws faces of {model.width} x {model.height} pixels; a detector takes squares.")

    def faces(seed: int) -> tuple[LabelledFaces, LabelledFaces]:
        every = drawn(model, count + HELD_OUT_FACES, seed)
        return every[np.arange(count)], every[np.arange(count, len(every))]

    return Generated(model.width, model.scheme, model.provenance.by_lgen(model.version), faces)


def _of_dataset(dataset: FaceDataset) -> Generated:
    def faces(seed: int) -> tuple[LabelledFaces, LabelledFaces]:
        return parted(labelled(dataset, dataset.scheme), dataset.groups, str(dataset.path), seed)

    return Generated(dataset.size, dataset.scheme, dataset.provenance, faces)
