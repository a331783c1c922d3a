"""Landmarks of other faces, for each of which a set draws a person."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from lmedge.datasets.card import CARD_FILE
from lmedge.errors import LmedgeError, UsageError
from lmedge.faces.about import DATASET_FILE, read_about
from lmedge.landmarks import Array, normalised, read_pts
from lmedge.progress import console
from lmedge.provenance import NOT_STATED
from lmedge.runtime import FaceModel
from lmedge.runtime.shape_block import ShapeBlock
from lmedge.scheme import Scheme
from lmedge.storage import read_json


@dataclass(frozen=True)
class GivenShapes:
    """`shape` `[M, n]`: what asks for them; `facts` for the card."""

    shape: Array
    facts: dict[str, Any]


def given_shapes(model: FaceModel, source: Path | None, given: Scheme | None) -> GivenShapes | None:
    """The shapes of a dataset, of a set of generated faces, or of .pts files that have the points of `given` (None:
    those of the model); None without a source. Says how many are clipped. Raises UsageError, which names the option,
    for other landmarks, for none and for a model that cannot be asked for any; LmedgeError for damaged files."""
    if source is None:
        if given is not None:
            raise UsageError(f"--pts-scheme {given} says what .pts files have; name them with --shapes.")
        return None
    option = f"--shapes {source}"
    block = ShapeBlock.of(model.latent, model.scheme, model.name, option)
    if not source.exists():
        raise UsageError(f"{option} does not exist; name a dataset, or .pts files or a folder of them.")
    licence = NOT_STATED
    if (source / DATASET_FILE).is_file():
        landmarks, licence = _of_dataset(source, model.scheme, option)
    else:
        files = sorted(source.rglob("*.pts")) if source.is_dir() else [source]
        if not files:
            raise UsageError(f"{option} has no .pts files and is no dataset; `prepare` and `synthesize --format "
                             "tfrecord` make one.")  # fmt: skip
        if (source / CARD_FILE).is_file():
            landmarks = _of_generated(source / CARD_FILE, files, model.scheme, option)
        else:
            landmarks = np.array([block.of_file(file, given) for file in files])
    found = block.nearest(landmarks)
    clipped, count = int(found.clipped.sum()), len(landmarks)
    if clipped:
        console.print(
            f"{option}: {clipped} of {count} shapes lie beyond the faces that this model can be asked for; their "
            f"nearest ones are NME {found.nme[found.clipped].mean():.1%} from them on average"
        )
    facts = {"from": source.resolve().name, "count": count, "clipped": clipped, "nme": float(found.nme.mean()),
             "licence": licence, "sha256": hashlib.sha256(found.shape.tobytes()).hexdigest()}  # fmt: skip
    return GivenShapes(found.shape, facts)


def _of_dataset(path: Path, scheme: Scheme, option: str) -> tuple[Array, str]:
    about = read_about(path)
    _refuse_other(about.scheme, scheme, option)
    if not about.count:
        raise UsageError(f"{option} is a dataset without a face; name another.")
    from lmedge.faces.records import FaceDataset  # here, as it needs TensorFlow, and sets of .pts files do not

    return normalised(FaceDataset(path).landmarks, about.size, about.size), about.provenance.licence


def _of_generated(card: Path, files: list[Path], scheme: Scheme, option: str) -> Array:
    """Of a set of `synthesize --format pts`, whose faces are of one size: landmarks are where they should be."""
    _refuse_other(
        Scheme.from_json(read_json(card, "a card of generated faces").get("scheme"), str(card)), scheme, option
    )
    points = [read_pts(file) for file in files]
    other = next((file for file, each in zip(files, points, strict=True) if len(each) != scheme.count), None)
    if other is not None:
        raise LmedgeError(f"{other} has other than the {scheme.count} points that {card} says; make the set again.")
    try:
        with Image.open(files[0].with_suffix(".png")) as picture:
            width, height = picture.size
    except OSError:
        raise LmedgeError(f"{files[0]} has no picture beside it, whose size is needed; make the set again.") from None
    return normalised(np.array(points), width, height)


def _refuse_other(found: Scheme, wanted: Scheme, option: str) -> None:
    if found != wanted:
        raise UsageError(
            f"{option} has landmarks of {found}, and the model is asked for those of {wanted}; take faces that were "
            "made with its scheme."
        )
