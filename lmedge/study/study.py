"""The `study` stage: the same detector on real, generated and augmented faces, tested on others."""

import hashlib
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmedge.config import StudyConfig, SynthesizeConfig, require, to_json
from lmedge.errors import UsageError
from lmedge.faces.workers import answers_of
from lmedge.landmarks import Scheme, convert_scheme, nme
from lmedge.progress import console, progress
from lmedge.storage import claim_folder, read_arrays, read_json, write_arrays, write_json
from lmedge.study.arms import ARMS, BASELINE, HELPED, Arm, Errors, Interval, lowered, mean_error
from lmedge.versions import versions

STUDY_FILE, RESULTS_FILE = "study.json", "results.json"
# Options that change no training: more of them are added to those that are there.
NO_PART_OF_TRAININGS = ("out", "workers", "overwrite", "amounts", "seeds")
LEAST_CONFIDENCE = 0.2  # of the generated faces


@dataclass(frozen=True)
class Training:
    """One detector: what it learns from, how many real faces, and with which seed."""

    arm: Arm
    amount: int
    seed: int

    def file(self, out: Path) -> Path:
        """Where its errors are kept."""
        name = self.arm.name.replace(" ", "")
        return out / "trainings" / f"{name}-{self.amount}-{self.seed}.npz"

    def network_file(self, out: Path) -> Path:
        """Where the detector itself is kept, if it is of the first seed."""
        return self.file(out).with_suffix(".keras")


@dataclass(frozen=True)
class ExportedDetector:
    """A detector for the phone: the model file, what it learnt from, its size, milliseconds a face on one thread, and
    its NME on the test faces."""

    file: Path
    arm: str
    real: int
    bytes: int
    ms: float
    nme: float


@dataclass(frozen=True)
class StudyResult:
    """`errors`: mean NMEs by (arm, real faces), 0 of them for the arm without; `gains`: by which share `HELPED` is
    below `BASELINE`, by real faces; Face Mesh's own NME on the test faces, as it is and fitted to the style of all real
    faces, or None where it finds none."""

    out: Path
    test_faces: int
    errors: dict[tuple[str, int], Interval]
    gains: dict[int, Interval]
    exported: list[ExportedDetector]
    face_mesh: float | None
    face_mesh_styled: float | None


def study(config: StudyConfig) -> StudyResult:
    """Trains what is missing and draws the report; see StudyConfig. Raises UsageError for faces that cannot be
    compared."""
    require("--seeds", config.seeds, 1, 100)
    require("--steps", config.steps, 1)
    require("--synthetic-share", config.synthetic_share, 0.01, 0.99)
    require("--generated", config.generated, 100)
    require("--workers", config.workers, 0)
    from lmedge.faces.records import FaceDataset
    from lmedge.study.report import write_report

    real, test = FaceDataset(config.real), FaceDataset(config.test)
    amounts = _amounts(config, len(real))
    _check_apart(config, real, test)
    about = {
        "options": {k: v for k, v in to_json(config).items() if k not in NO_PART_OF_TRAININGS},
        "real": len(real), "test": len(test), "licence": real.about.get("licence"),
        "versions": versions("tensorflow", "keras", "numpy", "mediapipe"),
    }  # fmt: skip
    _claim(config, about)
    synthetic = FaceDataset(_synthetic(config))
    for dataset in (real, test):
        if dataset.size != synthetic.size:
            raise UsageError(
                f"{dataset.path} has faces of {dataset.size} pixels and the generated ones have {synthetic.size}; make "
                f"it again with --size {synthetic.size}."
            )
        convert_scheme(dataset.landmarks[:1], dataset.scheme, synthetic.scheme)  # refuses another scheme
    seen = _face_mesh(config.out, real, test, synthetic.scheme)
    trainings = [
        Training(arm, amount, seed)
        for seed in range(config.seeds) for arm in ARMS for amount in (amounts if arm.real else (0,))
    ]  # fmt: skip
    _train(config, trainings, synthetic.path)
    result = _result(config, trainings, amounts, seen, real, test, synthetic.scheme)
    write_json(config.out / RESULTS_FILE, {
        "errors": [{"arm": arm, "real": amount, **asdict(found)} for (arm, amount), found in result.errors.items()],
        "gains": [{"real": amount, **asdict(found)} for amount, found in result.gains.items()],
        "detectors": [{**vars(model), "file": model.file.name} for model in result.exported],
        "face_mesh": result.face_mesh, "face_mesh_styled": result.face_mesh_styled, "seeds": config.seeds, **about,
    })  # fmt: skip
    write_report(result, config, about)
    return result


def _amounts(config: StudyConfig, there: int) -> tuple[int, ...]:
    """Numbers of real faces, 0 for all. Raises UsageError for more than there are."""
    if not config.amounts:
        raise UsageError("--amounts names none; take some such as 50 100 200 0, 0 for all.")
    for amount in config.amounts:
        require("--amounts", amount, 0)
        if amount > there:
            raise UsageError(f"--amounts {amount}: {config.real} holds {there} faces; take at most that, or 0 for all.")
    return tuple(dict.fromkeys(amount or there for amount in config.amounts))


def _check_apart(config: StudyConfig, real: Any, test: Any) -> None:
    """Raises UsageError where a test face is trained on."""

    def pictures(dataset: Any) -> set[bytes]:
        return {hashlib.sha256(image.tobytes()).digest() for image in dataset.images(np.arange(len(dataset)))}

    both = len(pictures(real) & pictures(test))
    if both:
        raise UsageError(f"--test {config.test} shares {both} faces with {config.real}; test on others.")


def _claim(config: StudyConfig, about: dict[str, Any]) -> None:
    """Makes the folder, or finds that it holds the same study. Raises UsageError."""
    file = config.out / STUDY_FILE
    if config.overwrite or not file.exists():
        claim_folder(config.out, (STUDY_FILE,), config.overwrite)
        write_json(file, about)
        (config.out / "trainings").mkdir()
    elif read_json(file, "a study") != about:
        raise UsageError(
            f"--out {config.out} holds a study with other options; add --overwrite or name another folder."
        )


def _synthetic(config: StudyConfig) -> Path:
    """The generated faces: a dataset of the user's, or one that is drawn now."""
    if config.synthetic is not None:
        return config.synthetic
    from lmedge.datasets.synthesize import synthesize

    out = config.out / "synthetic"
    if not (out / "dataset.json").exists():
        synthesize(SynthesizeConfig(out=out, count=config.generated, format="tfrecord",
                                    min_confidence=LEAST_CONFIDENCE, workers=config.workers))  # fmt: skip
    return out


def _face_mesh(out: Path, real: Any, test: Any, scheme: Scheme) -> dict[str, NDArray[np.float32]]:
    """What Face Mesh finds on real and test faces, nan where it finds nothing: kept in the folder."""
    from lmedge.faces.annotate import FaceMesh

    file = out / "face_mesh.npz"
    if file.exists():
        return read_arrays(file)
    found = {}
    with progress("Face Mesh on real faces", len(real) + len(test), "faces") as advance, FaceMesh() as mesh:
        for name, dataset in (("real", real), ("test", test)):
            points = np.full((len(dataset), scheme.count, 2), np.nan, np.float32)
            for i, face in enumerate(dataset.images(np.arange(len(dataset)))):
                marks = mesh.of_face(face, scheme)
                points[i] = np.nan if marks is None else marks
                advance(1)
            found[name] = points
    write_arrays(file, found)
    return found


def _train(config: StudyConfig, trainings: list[Training], synthetic: Path) -> None:
    """Trains the detectors whose errors are missing, in worker processes of one thread each: twice as fast as one after
    the other with all threads."""
    from lmedge.study.work import start_training, work

    missing = [training for training in trainings if not training.file(config.out).exists()]
    done = len(trainings) - len(missing)
    if missing and done:
        console.print(f"continuing {config.out}: {done} of {len(trainings)} detectors are there")
    worker = (start_training, (config, synthetic))
    with progress("study", len(trainings), "detectors", done) as advance, \
            answers_of(work, missing, worker, config.workers, parcel=1) as answers:  # fmt: skip
        for training, error in zip(missing, answers, strict=True):
            advance(1, f"{training.arm.name}, {training.amount} real faces: NME {error:.2%}")


def _export(
    config: StudyConfig, trainings: list[Training], errors: dict[tuple[str, int], Errors], real: Any, test: Any,
    scheme: Scheme,
) -> list[ExportedDetector]:  # fmt: skip
    """The best detector as TFLite, in OUT/detector, measured on the test faces as a device runs it."""
    from convert.detector import export_detector
    from lmedge.detector.network import LabelledFaces
    from lmedge.run import load_network
    from lmedge.runtime.detector import LandmarkDetector

    best = min((t for t in trainings if t.seed == 0), key=lambda t: float(errors[t.arm.name, t.amount].mean()))
    faces = LabelledFaces(
        real.images(np.arange(len(real))), convert_scheme(real.landmarks, real.scheme, scheme), scheme
    )
    facts = {"licence": real.about.get("licence"), "arm": best.arm.name, "real": best.amount}
    files = export_detector(load_network(best.network_file(config.out)), faces, config.out / "detector", facts, True)
    images, true = test.images(np.arange(len(test))), convert_scheme(test.landmarks, test.scheme, scheme)
    found = []
    for file in files.values():
        detector = LandmarkDetector(file)
        detector.landmarks(images[:5])
        start = time.perf_counter()
        error = float(nme(detector.landmarks(images), true, scheme).mean())
        ms = (time.perf_counter() - start) / len(images) * 1e3
        found.append(ExportedDetector(file, best.arm.name, best.amount, file.stat().st_size, ms, error))
    return found


def _result(
    config: StudyConfig, trainings: list[Training], amounts: tuple[int, ...], seen: dict[str, NDArray[np.float32]],
    real: Any, test: Any, scheme: Scheme,
) -> StudyResult:  # fmt: skip
    from lmedge.detector.style import fit_style

    errors: dict[tuple[str, int], Errors] = {}
    for training in trainings:
        one = read_arrays(training.file(config.out))["nme"]
        key = training.arm.name, training.amount
        errors[key] = np.concatenate([errors[key], one[None]]) if key in errors else one[None]
    placed, true = (convert_scheme(d.landmarks, d.scheme, scheme) for d in (real, test))
    known, found = (np.isfinite(seen[name]).all(axis=(1, 2)) for name in ("real", "test"))
    plain, styled = None, None
    if found.any() and known.any():
        plain = float(nme(seen["test"][found], true[found], scheme).mean())
        points = fit_style(seen["real"][known], placed[known], scheme)(seen["test"][found])
        styled = float(nme(points, true[found], scheme).mean())
    return StudyResult(
        config.out, len(test), {key: mean_error(values) for key, values in errors.items()},
        {amount: lowered(errors[HELPED, amount], errors[BASELINE, amount]) for amount in amounts},
        _export(config, trainings, errors, real, test, scheme), plain, styled,
    )  # fmt: skip
