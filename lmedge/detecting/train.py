"""The `train-detector` stage: generated and real faces -> a landmark detector for a phone."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from convert.detector import KIND, write_detector
from lmedge.datasets.augment import Augmentation
from lmedge.detecting.options import SHARES, TrainDetectorConfig
from lmedge.detecting.page import PAGE_FILES, write_page
from lmedge.detecting.result import Lesson, TrainedDetector
from lmedge.detecting.sources import Generated, generated
from lmedge.detector.diet import Diet, LabelledFaces, restyled
from lmedge.detector.faces import (
    Given,
    check_same_kind,
    cutting_like,
    dataset_at,
    found_on,
    labelled,
    parted,
    refuse_shared,
    tells,
    who_looks,
)
from lmedge.detector.network import fit
from lmedge.errors import UsageError
from lmedge.executor import Executor
from lmedge.faces.records import FaceDataset
from lmedge.folders import making_folder
from lmedge.landmarks import in_pixels, nme
from lmedge.options import to_json
from lmedge.place import executor_on
from lmedge.progress import console, progress
from lmedge.provenance import Provenance
from lmedge.versions import versions

HELD_OUT = " that were held out"
PACKAGES = ("tensorflow", "keras", "numpy", "mediapipe")


def train_detector(config: TrainDetectorConfig, executor: Executor | None = None) -> TrainedDetector:
    """Trains, exports and measures a detector; see TrainDetectorConfig; without an `executor`, photos are cut
    where `--on` says. Raises UsageError for faces that do not belong together, LmedgeError for a training that
    fails."""
    with making_folder(config.out, KIND, config.overwrite, names=("detector*", *PAGE_FILES)) as folder:
        lesson = _lesson(config, executor or executor_on(config.on, config.workers))
        diet, test = lesson.diet, lesson.test
        with progress("train-detector", config.steps, "steps") as advance:
            network = fit(diet, config.steps, config.seed, advance)
        facts = _facts(config, lesson)
        models = write_detector(network, diet.faces, test, folder, facts)
        size = test.images.shape[1]
        mean = np.broadcast_to(in_pixels(diet.mean_face(), size, size), test.landmarks.shape)
        made = TrainedDetector(config.out, models, lesson, float(nme(mean, test.landmarks, test.scheme).mean()))
        write_page(made, folder, {**facts, "options": to_json(config), "versions": versions(*PACKAGES)})
    return replace(made, models=[replace(model, file=config.out / model.file.name) for model in models])


def _facts(config: TrainDetectorConfig, lesson: Lesson) -> dict[str, Any]:
    """What models and JSON say of the training; they travel, so no path is among it."""
    real, synthetic = lesson.diet.real, lesson.diet.synthetic
    counts = {name: 0 if faces is None else len(faces) for name, faces in (("real", real), ("generated", synthetic))}
    return {
        "provenance": lesson.provenance.to_json(),
        "learnt_from": {**counts, "synthetic_share": lesson.diet.synthetic_share, "moved": lesson.moved},
        "tested_on": lesson.tested_on,
        "training": {"steps": config.steps, "seed": config.seed, "augment": config.augment},
    }


def _lesson(config: TrainDetectorConfig, executor: Executor) -> Lesson:
    """Raises UsageError."""
    made = generated(config)
    real, test = (_dataset(config, made, place, option, executor)
                  for place, option in ((config.real, "--real"), (config.test, "--test")))  # fmt: skip
    if real is not None and test is not None:
        refuse_shared(real, test)
    tested = None if test is None else labelled(test, made.scheme)
    if real is None:
        return _of_generated(config, made, tested)
    faces, held = labelled(real, made.scheme), ""
    if tested is None:
        (faces, tested), held = parted(faces, real.groups, f"--real {config.real}", config.seed), HELD_OUT
    share = config.synthetic_share
    if share is None:
        share = next((share for below, share in SHARES if len(faces) < below), 0.0)
        if not share:
            console.print(f"{len(faces)} real faces are enough: generated ones are left out (--synthetic-share 0)")
    synthetic, moved, whose = None, False, real.provenance
    if share:
        synthetic, moved = _beside(config, made, faces, whose, executor)
        whose = whose.beside(made.provenance)
    return Lesson(_diet(config, faces, synthetic, share), tested, whose, f"{len(tested)} real faces{held}", moved)


def _of_generated(config: TrainDetectorConfig, made: Generated, test: LabelledFaces | None) -> Lesson:
    """Without a real face to learn from."""
    if config.synthetic_share is not None:
        raise UsageError("--synthetic-share is that of generated faces beside real ones; name some with --real.")
    faces, held_out = made.faces(config.seed)
    on = f"{len(held_out)} generated faces{HELD_OUT}" if test is None else f"{len(test)} real faces"
    return Lesson(_diet(config, None, faces, 1.0), held_out if test is None else test, made.provenance, on, False)


def _diet(
    config: TrainDetectorConfig, real: LabelledFaces | None, synthetic: LabelledFaces | None, share: float
) -> Diet:
    return Diet(real, synthetic, share, Augmentation() if config.augment else None)


def _dataset(
    config: TrainDetectorConfig, made: Generated, place: Path | None, option: str, executor: Executor
) -> FaceDataset | None:
    """The dataset at `place`, or made of the photos there. Raises UsageError for faces of another kind."""
    if place is None:
        return None
    cutting = cutting_like(made.provenance, made.scheme, made.size, config.pts_scheme)
    given = Given(place, option, "train-detector", config.out)
    dataset = dataset_at(given, cutting, executor, config.overwrite)
    check_same_kind(dataset, made.size, made.scheme, made.provenance)
    return dataset


def _beside(
    config: TrainDetectorConfig, made: Generated, real: LabelledFaces, whose: Provenance, executor: Executor
) -> tuple[LabelledFaces, bool]:
    """The generated faces for a training with real ones, whose landmarks are of `whose`; and whether theirs were moved
    to where the real ones have them."""
    faces, _ = made.faces(config.seed)
    annotator = who_looks(made.provenance, made.scheme) if config.style else None
    if annotator is None or not tells(annotator, made.provenance, whose):
        if config.style:
            console.print("landmarks of generated faces stay where L-Gen has them: no annotator tells how real ones "
                          "differ")  # fmt: skip
        return faces, False
    seen = found_on(annotator, real.images, real.scheme, executor)
    return restyled(faces, real, seen), bool(np.isfinite(seen).any())
