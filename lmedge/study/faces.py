"""The faces of a study: real ones to learn from, others to test on, generated ones, and what somebody sees on them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lmedge.annotators.annotator import Annotator
from lmedge.datasets.options import SynthesizeConfig
from lmedge.detector.faces import (
    LEAST_CONFIDENCE,
    Given,
    cutting_like,
    dataset_at,
    found_on,
    refuse_shared,
    tells,
    who_looks,
)
from lmedge.errors import UsageError
from lmedge.executor import Executor
from lmedge.faces.about import DATASET_FILE
from lmedge.faces.crop import Cutting
from lmedge.faces.records import FaceDataset
from lmedge.run import Run
from lmedge.runtime.bundle import Bundle
from lmedge.shipped import bundle_at, run_at
from lmedge.storage import read_arrays, write_arrays
from lmedge.study.arms import Arm
from lmedge.study.options import StudyConfig

SEEN_FILE = "seen.npz"


def real_and_test(config: StudyConfig, executor: Executor) -> tuple[FaceDataset, FaceDataset]:
    """The faces to learn from and those to test on. Photos with .pts files are made into datasets first, beside the
    folder of the study: OUT-real and OUT-test. Raises UsageError for faces that are in both, and for a place that holds
    neither dataset nor photos."""
    cutting = _cutting(config)
    real, test = (
        dataset_at(Given(place, option, "study", config.out), cutting, executor, config.overwrite)
        for place, option in ((config.real, "REAL"), (config.test, "--test"))
    )
    refuse_shared(real, test)
    return real, test


def _cutting(config: StudyConfig) -> Cutting:
    """As the generated faces are."""
    if config.synthetic:
        like = FaceDataset(config.synthetic)
        return cutting_like(like.provenance, like.scheme, like.size)
    if config.run is not None:
        run = Run.open(config.run)
        return cutting_like(run.lgen_provenance, run.scheme, run.generator().output_shape[1])
    drawing = Bundle.open(bundle_at(None, config.model))
    return cutting_like(drawing.provenance, drawing.scheme, drawing.about["image"]["width"])


def mixing_run(config: StudyConfig, arms: list[Arm], synthetic: FaceDataset) -> Run | None:
    """The run whose networks mix real faces; None where no arm does. Raises UsageError for one that draws other faces
    than the generated ones."""
    if not any(arm.mixes for arm in arms):
        return None
    run = Run.open(run_at(config.run, config.model))
    model = run.face_model()
    if (model.width, model.scheme) != (synthetic.size, synthetic.scheme):
        raise UsageError(
            f"--run {run} draws faces of {model.width} pixels with {model.scheme} landmarks, and the generated "
            f"ones of {synthetic.path} have {synthetic.size} and {synthetic.scheme}; name the run that drew them."
        )
    return run


def generated(config: StudyConfig, executor: Executor) -> FaceDataset:
    """A dataset of the user's, or one that is drawn now."""
    if config.synthetic is not None:
        return FaceDataset(config.synthetic)
    from lmedge.datasets.synthesize import synthesize

    out = config.out / "synthetic"
    if not (out / DATASET_FILE).exists():
        sure = config.run is None or Run.open(config.run).confidence_file.exists()
        synthesize(SynthesizeConfig(source=config.run, out=out, model=config.model, count=config.generated,
                                    format="tfrecord", min_confidence=LEAST_CONFIDENCE if sure else 0.0),
                   executor)  # fmt: skip
    return FaceDataset(out)


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
    scheme, generated = synthetic.scheme, synthetic.provenance
    annotator, file = who_looks(generated, scheme), out / SEEN_FILE
    if annotator is None:
        nothing = {
            name: np.full((len(faces), scheme.count, 2), np.nan, np.float32)
            for name, faces in (("real", real), ("test", test))
        }
        return Seen(None, **nothing, speaks=False)
    if file.exists():
        found = read_arrays(file, ("real", "test"))
    else:
        found = {
            name: found_on(annotator, faces.images(np.arange(len(faces))), scheme, executor)
            for name, faces in (("real", real), ("test", test))
        }
        write_arrays(file, found)
    return Seen(annotator, **found, speaks=tells(annotator, generated, real.provenance))
