"""The `study` stage: the same detector on real, generated and augmented faces, tested on others."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lmedge.errors import UsageError
from lmedge.executor import Executor
from lmedge.fetched import origin
from lmedge.growing import growing_folder
from lmedge.landmarks import nme
from lmedge.latent import Latents
from lmedge.options import to_json, written
from lmedge.parts import Part, going_on
from lmedge.place import executor_on
from lmedge.progress import console
from lmedge.provenance import Provenance
from lmedge.storage import read_json, write_bytes, write_json
from lmedge.study.arms import COMPARED, Arm, Errors, arms_called, lowered, mean_error
from lmedge.study.options import StudyConfig
from lmedge.study.result import AnnotatorFigures, ExportedDetector, StudyResult
from lmedge.study.training import Training, trainings_in
from lmedge.study.work import chooses
from lmedge.versions import versions

if TYPE_CHECKING:
    from lmedge.detector.diet import LabelledFaces
    from lmedge.faces.records import FaceDataset
    from lmedge.run import Run
    from lmedge.study.faces import Seen

STUDY_FILE, RESULTS_FILE = "study.json", "results.json"
ENTRIES = (STUDY_FILE, RESULTS_FILE, "trainings", "synthetic", "seen.npz", "latents.npz", "detector", "curves.png",
           "index.html")  # fmt: skip
# Options that change no training: more of them are added to those that are there.
NO_PART_OF_TRAININGS = ("out", "workers", "on", "overwrite", "amounts", "seeds", "arms")
MIXING = ("run", "alpha", "beta")  # noted by themselves: studies that are older do not say them


def study(config: StudyConfig, executor: Executor | None = None) -> StudyResult:
    """Trains what is missing and draws the report; see StudyConfig; without an `executor`, where `--on` says.
    Raises UsageError for faces that cannot be compared."""
    if config.synthetic is not None and config.model is not None:
        raise UsageError(
            f"--model {config.model} draws the generated faces, and --synthetic {config.synthetic} has some; leave one "
            "of them out."
        )
    arms = arms_called(config.arms)
    if not arms:
        raise UsageError("--arms names none; take some such as real+classical real+smart+classical.")
    if config.synthetic is not None and config.run is None and (mixing := [arm for arm in arms if arm.mixes]):
        raise UsageError(
            f"--arms {mixing[0].slug} mixes faces by the networks that drew those of --synthetic {config.synthetic}; "
            "name their run with --run."
        )
    with growing_folder(config.out, "a study", ENTRIES, config.overwrite):
        return _study(config, executor or executor_on(config.on, config.workers))


def _study(config: StudyConfig, executor: Executor) -> StudyResult:
    from lmedge.detector.faces import check_same_kind, labelled
    from lmedge.study.faces import generated, mixing_run, real_and_test, seen_on
    from lmedge.study.report import write_report

    real, test = real_and_test(config, executor)
    arms = arms_called(config.arms)
    amounts = _amounts(config, arms, len(real))
    about: dict[str, Any] = {
        "options": {k: v for k, v in to_json(config).items() if k not in (*NO_PART_OF_TRAININGS, *MIXING)},
        "mixing": {k: v for k, v in to_json(config).items() if k in MIXING},
        "real": len(real), "test": len(test),
        "provenance": {"real": real.provenance.to_json(), "test": test.provenance.to_json()},
        "versions": versions("tensorflow", "keras", "numpy", "mediapipe"),
    }  # fmt: skip
    _claim(config, about)
    synthetic = generated(config, executor)
    for dataset in (real, test):
        check_same_kind(dataset, synthetic.size, synthetic.scheme, synthetic.provenance)
    seen = seen_on(config.out, real, test, synthetic, executor)
    moved = config.style and seen.speaks
    if config.style and not moved:
        console.print("landmarks of generated faces stay where L-Gen has them: no annotator tells how real ones differ")
    trainings = [
        Training(arm, amount, seed)
        for seed in range(config.seeds) for arm in arms for amount in (amounts if arm.real else (0,))
    ]  # fmt: skip
    run = mixing_run(config, arms, synthetic)
    there = replace(config, real=real.path, test=test.path, synthetic=synthetic.path, style=moved,
                    run=None if run is None else origin(run.path))  # fmt: skip
    latents = None if run is None else _latents(config, run, real, trainings)
    trained = list(zip(trainings, _train(there, trainings, (seen.real, latents), len(test), executor), strict=True))
    sets = labelled(real, synthetic.scheme), labelled(test, synthetic.scheme)
    about["provenance"]["synthetic"] = synthetic.provenance.to_json()
    whose = real.provenance, synthetic.provenance
    result = _result(config, trained, amounts, seen, *sets, whose)
    write_json(config.out / RESULTS_FILE, {
        "errors": [{"arm": arm, "real": amount, **asdict(found)} for (arm, amount), found in result.errors.items()],
        "gains": [{"arm": arm, "against": other, "real": amount, **asdict(found)}
                  for (arm, other, amount), found in result.gains.items()],
        "chosen_shares": [{"arm": arm, "real": amount, "shares": shares}
                          for (arm, amount), shares in result.shares.items()],
        "detectors": [{**vars(model), "file": model.file.name} for model in result.exported],
        "annotator": asdict(result.annotator) if result.annotator else None, "moved": moved, "seeds": config.seeds,
        **about,
    })  # fmt: skip
    write_report(result, config, about)
    return result


def _amounts(config: StudyConfig, arms: list[Arm], there: int) -> tuple[int, ...]:
    """Numbers of real faces, 0 for all. Raises UsageError for more than there are, and for fewer than can be mixed."""
    if not config.amounts:
        raise UsageError("--amounts names none; take some such as 50 100 200 0, 0 for all.")
    for amount in config.amounts:
        if amount > there:
            raise UsageError(f"--amounts {amount}: {config.real} holds {there} faces; take at most that, or 0 for all.")
        if (amount or there) < 2 and (mixing := [arm for arm in arms if arm.mixes]):
            raise UsageError(f"--amounts {amount}: --arms {mixing[0].slug} mixes two real faces; take at least 2.")
    return tuple(dict.fromkeys(amount or there for amount in config.amounts))


def _claim(config: StudyConfig, about: dict[str, Any]) -> None:
    """Marks the folder, or finds that it holds the same study. Raises UsageError."""
    store = trainings_in(config.out)
    if store.other(about):
        noted, now = read_json(config.out / STUDY_FILE, "a study").get("options", {}), about["options"]
        said = [f"{'no ' if was is None else ''}{written(name)}{'' if was is None else f' {was}'}"
                for name, was in noted.items() if was != now.get(name)]  # fmt: skip
        which = f" ({', '.join(said)})" if said else ""
        raise UsageError(
            f"--out {config.out} holds a study with other options{which}; take these, add --overwrite, or name another "
            "folder."
        )
    store.begin(about)


def _latents(config: StudyConfig, run: Run, real: FaceDataset, trainings: list[Training]) -> Latents:
    """Latents `[N, Z]` of the real faces, nan for those that no training mixes."""
    from lmedge.study.latents import latents_of
    from lmedge.study.work import chosen

    taken = [chosen(len(real), training.amount, training.seed) for training in trainings if training.arm.mixes]
    return latents_of(config.out, run, real, np.unique(np.concatenate(taken)))


def _train(
    config: StudyConfig, trainings: list[Training], known: tuple[NDArray[np.float32], Latents | None],
    test_faces: int, executor: Executor,
) -> list[dict[str, NDArray[np.float32]]]:  # fmt: skip
    """The parts of the detectors: `nme` `[test faces]` and `share`. Those that are missing are trained in workers of
    one thread each: twice as fast as one after the other with all threads. `known` of the real faces: what an annotator
    finds on them, and their latents, where arms mix them."""
    from lmedge.study.work import start_training, work

    store = trainings_in(config.out, test_faces, config.synthetic_share is None)
    parts = [Part(training.name, i, 1) for i, training in enumerate(trainings)]
    lost = {t.name for t in trainings if t.seed == 0 and not t.network_file(config.out).is_file()}
    whole = {part.key for part in parts} - {part.key for part in store.missing(parts)} - lost
    missing = [part for part in parts if part.key not in whole]
    jobs = [training for part in missing for training in part.of(trainings)]
    with (
        going_on("study", config.out, "detectors", parts, missing) as advance,
        executor.answers(work, jobs, (start_training, (config, *known)), parcel=1) as answers,
    ):
        for part, training, trained in zip(missing, jobs, answers, strict=True):
            if trained.network is not None:
                write_bytes(training.network_file(config.out), trained.network)
            store.write(part, {"nme": trained.errors, "share": np.array(trained.share, np.float32)})
            advance(1, f"{training.arm.name}, {training.amount} real faces: NME {trained.errors.mean():.2%}")
    return [store.read(part) for part in parts]


def _result(
    config: StudyConfig, trained: list[tuple[Training, dict[str, NDArray[np.float32]]]], amounts: tuple[int, ...],
    seen: Seen, real: LabelledFaces, test: LabelledFaces, whose: tuple[Provenance, Provenance],
) -> StudyResult:  # fmt: skip
    found: dict[tuple[str, int], list[NDArray[np.float32]]] = {}
    shares: dict[tuple[str, int], list[float]] = {}
    for training, part in trained:
        key = training.arm.name, training.amount
        found.setdefault(key, []).append(part["nme"])
        if chooses(config, training.arm, training.amount):
            shares.setdefault(key, []).append(round(float(part["share"]), 3))
    errors: dict[tuple[str, int], Errors] = {key: np.stack(each) for key, each in found.items()}
    best = min((t for t, _ in trained if t.seed == 0), key=lambda t: float(errors[t.arm.name, t.amount].mean()))
    return StudyResult(
        config.out, len(test), {key: mean_error(values) for key, values in errors.items()}, shares,
        {(arm, other, amount): lowered(errors[arm, amount], errors[other, amount])
         for arm, other in COMPARED for amount in amounts if (arm, amount) in errors and (other, amount) in errors},
        _export(best, config.out, real, test, whose),
        _annotator(seen, real, test),
    )  # fmt: skip


def _export(
    best: Training, out: Path, real: LabelledFaces, test: LabelledFaces, whose: tuple[Provenance, Provenance]
) -> list[ExportedDetector]:
    """The best detector as TFLite, in OUT/detector, measured on the test faces as a device runs it. `whose` the real
    and the generated faces are."""
    from convert.detector import export_detector
    from lmedge.keras_file import load_network

    own, made = whose
    provenance = made if not best.arm.real else own.beside(made) if best.arm.made else own
    facts = {"provenance": provenance.to_json(), "arm": best.arm.name, "real": best.amount}
    models = export_detector(load_network(best.network_file(out)), real, test, out / "detector", facts, True)
    return [ExportedDetector(m.file, best.arm.name, best.amount, m.bytes, m.ms, m.nme) for m in models]


def _annotator(seen: Seen, real: LabelledFaces, test: LabelledFaces) -> AnnotatorFigures | None:
    """Who looks beside the detectors, on the same faces; `seen`: what was found on them."""
    from lmedge.detector.figures import milliseconds
    from lmedge.style import fit_style

    known, found = (np.isfinite(points).all(axis=(1, 2)) for points in (seen.real, seen.test))
    if seen.annotator is None or not (found.any() and known.any()):
        return None
    styled = fit_style(seen.real[known], real.landmarks[known], real.scheme)(seen.test[found])
    with seen.annotator as own:
        ms = milliseconds(lambda face: own.of_face(face, test.scheme), test.images)
    plain, fitted = (nme(p, test.landmarks[found], test.scheme).mean() for p in (seen.test[found], styled))
    return AnnotatorFigures(own.title, float(plain), float(fitted), float(found.mean()), ms)
