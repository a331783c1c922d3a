"""The `edit` stage: a photo, and the way from it to what is asked for."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmedge.attribute_names import asked_values
from lmedge.editing.measures import Judges, asked_for, fidelity, moved_landmarks
from lmedge.editing.options import EditConfig
from lmedge.editing.refine import make_refining
from lmedge.editing.stamp import stamped
from lmedge.errors import UsageError
from lmedge.inversion.latents import LEAST_EXPLAINED
from lmedge.inversion.photo import PhotoFace, check_photo, latent_of, photo_face, search_alone
from lmedge.inversion.resolve import filled
from lmedge.inversion.search import Search
from lmedge.keras_model import Generator, to_uint8, weights_hash
from lmedge.landmarks import Array
from lmedge.latent import Latents, LatentSpec, between
from lmedge.pictures import SHEET_PIXELS, check_picture, drawn, enlarged, grid, write_picture
from lmedge.progress import progress
from lmedge.run import Run
from lmedge.runtime.bundle import BUNDLE_FILE
from lmedge.runtime.directions import FITTED, attribute_moves
from lmedge.seeds import Purpose
from lmedge.storage import claim_file, write_json

STEPS = 7  # of a strip, the inversion and what is asked for included


@dataclass(frozen=True)
class Edited:
    """`z` `[7, Z]`, from the inversion to what was asked for; `about`: what was measured, as the file `record` has it,
    which lies beside the `picture`."""

    z: Latents
    about: dict[str, Any]
    picture: Path
    record: Path

    @property
    def fits(self) -> bool:
        """Can the generator draw the face at all?"""
        return bool(self.about["steps"][0]["explained"] >= LEAST_EXPLAINED)


def resolve(config: EditConfig) -> EditConfig:
    """The options with everything filled in. Raises UsageError for an encoder where there is none."""
    return filled(config, search_alone(config, _run(config)))


def _run(config: EditConfig) -> Run:
    """Raises UsageError for a bundle, and for what is no run."""
    if config.run.suffix == ".tflite" or (config.run / BUNDLE_FILE).is_file():
        raise UsageError(
            f"{config.run} is a bundle, whose generator cannot be differentiated; name the run that it was exported "
            "from."
        )
    return Run.open(config.run)


def edit(config: EditConfig) -> Edited:
    """Inverts a photo and moves its attributes; see EditConfig. Raises UsageError for what a run cannot be asked for,
    and for files that are there, LmedgeError for a photo without a face."""
    run = _run(config)
    check_photo(config.photo, run)
    asked, record = asked_values(config.set, "--set"), config.out.with_suffix(".json")
    run.latent.fixing(asked, config.run, "--set")  # refuses what it cannot be asked for
    search = search_alone(config, run)
    generator = Generator(run.generator(), run.latent)
    model = run.face_model() if config.landmarks else None
    judges = Judges.of(config.identity, config.attributes, generator, config.run)
    scale = max(1, SHEET_PIXELS // generator.width)
    check_picture(config.out, (STEPS + 1) * generator.width * scale)
    beside = None if config.identity is None else config.identity.with_suffix(".json")
    for file in (config.out, record):
        claim_file(file, config.overwrite, [config.photo, config.identity, beside])
    there = photo_face(config.photo, run, generator.width, "edited")
    (seen,) = judges.seen(there.real)
    start = _inverted(there, run, generator, search, judges, seen)
    z = between(start[0], moved(generator.latent, start, asked)[0], STEPS)
    images = generator.values(z)
    points = None if model is None else model.landmarks(z)
    write_picture(config.out, _strip(there, to_uint8(images), points, run, scale, config.mark))
    about = {"photo": config.photo.name, "run": str(config.run), "generator": weights_hash(generator.network),
             "set": asked, "marked": config.mark, **_of_judges(judges, seen),
             "steps": _measured(generator.latent, z, images, there.real, judges, run)}  # fmt: skip
    try:
        write_json(record, about)
    except BaseException:  # a full disk: the same command is to find nothing in its way
        config.out.unlink(missing_ok=True)
        raise
    return Edited(z, about, config.out, record)


def moved(latent: LatentSpec, z: Latents, asked: Mapping[str, float]) -> Latents:
    """Latents `[N, Z]` with the values `asked` of attributes. The landmarks go along as they do on photos; the person
    and all other attributes stay."""
    moves = attribute_moves(latent, latent.draw(FITTED, purpose=Purpose.CONTROLS))
    far = latent.shown(latent.setting(z, asked)) - latent.shown(z)
    return latent.setting(latent.clip(z + far @ moves), asked)


def _inverted(
    there: PhotoFace, run: Run, generator: Generator, search: Search, judges: Judges, seen: Mapping[str, float]
) -> Latents:
    """`[1, Z]`. What a network has `seen` on the photo is taken, as AGE-cGAN takes the age; without one the search
    finds what draws the photo best."""
    latent, held = generator.latent, None
    if seen:
        held = latent.setting(latent.middle[None], seen)
        latent = latent.holding(lambda block: block.attributes is not None)
    z = latent_of(there, run, generator.network, search, latent, held)
    if judges.embedding is None:
        return z
    weights = there.weights(search.background)
    refined = make_refining(generator.network, judges.embedding, generator.latent, weights)
    with progress("refine", 1, "faces") as advance:
        return refined(there.real, z, advance)


def _strip(
    there: PhotoFace, images: NDArray[np.uint8], points: Array | None, run: Run, scale: int, mark: bool
) -> NDArray[np.uint8]:
    """The photo, and what was drawn of it, as one row; marked, what was drawn."""

    def shown(image: NDArray[np.uint8], landmarks: Array | None) -> NDArray[np.uint8]:
        return enlarged(image, scale) if landmarks is None else drawn(image, landmarks, run.scheme, scale)

    on_photo = None if points is None or there.landmarks is None else there.landmarks[0]
    faces = [shown(image, None if points is None else points[i]) for i, image in enumerate(images)]
    return grid([shown(there.face.pixels, on_photo), *(stamped(face) if mark else face for face in faces)], STEPS + 1)


def _of_judges(judges: Judges, seen: Mapping[str, float]) -> dict[str, Any]:
    """Who looked, how good they are at it, and what was `seen` on the photo."""
    about: dict[str, Any] = {"identity": None, "attributes": None}
    if (embedding := judges.embedding) is not None:
        known = embedding.verified
        about["identity"] = {
            "network": str(embedding.path), "accuracy": known.accuracy, "area": known.area, "persons": known.persons,
            "threshold": known.threshold, "one_person": known.same[50], "two_persons": known.other[50],
        }  # fmt: skip
    if (labeller := judges.labeller) is not None:
        about["attributes"] = {
            "network": str(labeller.path), "balanced_accuracy": labeller.balanced_accuracy,
            "seen_on_photo": seen,
        }  # fmt: skip
    return about


def _measured(
    latent: LatentSpec, z: Latents, images: NDArray[np.float32], photo: NDArray[np.float32], judges: Judges, run: Run
) -> list[dict[str, Any]]:
    rows = zip(
        asked_for(latent, z), fidelity(images, photo), moved_landmarks(latent, z, run.scheme),
        judges.likeness(images, photo), judges.seen(images), strict=True,
    )  # fmt: skip
    return [
        {"asked": asked, **quality, "landmarks_moved": moved, "identity": likeness or None, "seen": seen or None}
        for asked, quality, moved, likeness, seen in rows
    ]
