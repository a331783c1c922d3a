import json
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from lmedge.detector.faces import labelled
from lmedge.errors import UsageError
from lmedge.faces.cartoon import draw_face
from lmedge.faces.look import random_look
from lmedge.faces.options import ToyConfig
from lmedge.faces.records import FaceDataset
from lmedge.faces.toy import toy
from lmedge.landmarks import nme, write_pts
from lmedge.processes import Processes
from lmedge.provenance import Provenance
from lmedge.runtime.detector import LandmarkDetector
from lmedge.scheme import IBUG49
from lmedge.storage import read_arrays, write_arrays
from lmedge.study.arms import arms_called
from lmedge.study.faces import generated, mixing_run, real_and_test, seen_on
from lmedge.study.options import USUAL, StudyConfig
from lmedge.study.report import answer
from lmedge.study.study import study
from lmedge.study.training import Training
from lmedge.study.work import chosen, work


@pytest.fixture(scope="module")
def sets(tmp_path_factory, toys, trained):
    folder = tmp_path_factory.mktemp("study")
    for name, options in {"test": {"seed": 9}, "large": {"size": 64}, "few": {"scheme": "ibug68", "seed": 4}}.items():
        toy(ToyConfig(out=folder / name, count=12, workers=1, **options))
    generated(StudyConfig(real=toys, test=folder / "test", out=folder, run=trained, generated=100), Processes(1))
    return folder


TRIED = (*USUAL[:2], *USUAL[3:], "real+mixed", "real+smart+classical")


def config(toys, sets, out, **options):
    options = {"amounts": (8, 0), "seeds": 2, "steps": 3, "workers": 1, **options}
    return StudyConfig(real=toys, test=sets / "test", synthetic=sets / "synthetic", out=out, **options)


@pytest.fixture(scope="module")
def done(toys, sets, trained, tmp_path_factory):
    return study(config(toys, sets, tmp_path_factory.mktemp("out") / "study", arms=TRIED, run=trained))


def test_every_arm_is_trained_for_every_amount_and_seed(done):
    files = sorted(path.name for path in (done.out / "trainings").glob("*.npz"))
    wanted = [
        f"{arm.slug}-{amount}-{seed}.npz"
        for arm in arms_called(TRIED)
        for amount in ((8, 48) if arm.real else (0,))
        for seed in (0, 1)
    ]
    assert files == sorted(wanted)
    assert done.test_faces == 12
    mesh = done.annotator  # of drawn faces it finds few
    assert mesh is None or (0 < mesh.found <= 1 and mesh.ms > 0 and mesh.styled < mesh.nme < 0.5)


def test_the_figures_are_those_of_the_trainings(done):
    results = json.loads((done.out / "results.json").read_text())
    for row in results["errors"]:
        name = row["arm"].replace(" ", "")
        errors = [read_arrays(done.out / "trainings" / f"{name}-{row['real']}-{seed}.npz")["nme"] for seed in (0, 1)]
        assert row["value"] == pytest.approx(np.mean(errors), rel=1e-5) and row["low"] <= row["value"] <= row["high"]
    by_name = {(row["arm"], row["real"]): row["value"] for row in results["errors"]}
    for row in results["gains"]:
        helped, base = (by_name[row[name], row["real"]] for name in ("arm", "against"))
        assert row["value"] == pytest.approx(1 - helped / base, abs=1e-6)
    compared = {(row["arm"], row["against"], row["real"]) for row in results["gains"]}
    base = "real + classical"
    arms = ("real + synthetic + classical", "real + smart + classical")
    assert compared == {(arm, base, amount) for arm in arms for amount in (8, 48)}
    assert results["real"] == 48 and results["options"]["steps"] == 3
    shares = {row["real"]: row["shares"] for row in results["chosen_shares"]}  # of an arm; of 8 none can be chosen
    assert list(shares) == [48] and len(shares[48]) == 2 and {*shares[48]} <= {0.0, 0.3, 0.6, 0.9}
    page = (done.out / "index.html").read_text()
    assert f"shares of generated faces that were chosen: {', '.join(f'{share:g}' for share in shares[48])}" in page


def test_whose_landmarks_were_compared_stands_in_results_and_detector(done, toys, sets, lmedge_here):
    results = json.loads((done.out / "results.json").read_text())
    whose = {name: Provenance.from_json(facts, "results") for name, facts in results["provenance"].items()}
    datasets = {"real": toys, "test": sets / "test", "synthetic": sets / "synthetic"}
    assert whose == {name: FaceDataset(path).provenance for name, path in datasets.items()}
    assert whose["synthetic"].learnt == whose["real"] and not results["moved"]  # both are drawn
    shown = lmedge_here("info", done.exported[0].file).stdout
    learnt = " (learnt from drawn 1)" if done.exported[0].real == 0 else ""
    assert re.search(rf"landmarks of +\w+ \w+{re.escape(learnt)}\n", shown) and re.search("licence +CC0-1.0\n", shown)


def test_generated_faces_move_where_an_annotator_tells_how_the_real_ones_differ(toys, sets, tmp_path):
    def seen(learnt, own="drawn", scheme=IBUG49):
        whose = {"real": Provenance(own, "1"), "made": Provenance(learnt, "1").by_lgen("7")}
        for (name, provenance), source in zip(whose.items(), (toys, sets / "synthetic"), strict=True):
            about = json.loads((source / "dataset.json").read_text())
            shutil.copytree(source, tmp_path / name, dirs_exist_ok=True)
            changed = {**about, "provenance": provenance.to_json(), "scheme": scheme.to_json()}
            (tmp_path / name / "dataset.json").write_text(json.dumps(changed))
        real, made = FaceDataset(tmp_path / "real"), FaceDataset(tmp_path / "made")
        (tmp_path / "seen.npz").unlink(missing_ok=True)
        return seen_on(tmp_path, real, real, made, Processes(1))

    assert seen("mediapipe").speaks and seen("mediapipe").annotator.name == "mediapipe"
    assert not seen("mediapipe", "mediapipe").speaks  # nothing to move
    assert not seen("pts").speaks and seen("pts").annotator.name == "mediapipe"  # L-Gen speaks as people do
    hand = replace(IBUG49, name="mine", origin=("hand",) * 49)
    nobody = seen("mediapipe", scheme=hand)
    assert nobody.annotator is None and not nobody.speaks and np.isnan(nobody.real).all()


def test_the_report_has_the_table_the_plot_and_the_answer(done):
    page = (done.out / "index.html").read_text()
    assert "real + synthetic + classical, 48 real faces" in page and 'src="curves.png"' in page
    for sentence in answer(done):
        assert sentence in page
    with Image.open(done.out / "curves.png") as picture:
        assert picture.size[0] > 600


def test_the_best_detector_is_exported(done, sets):
    assert [model.file.name for model in done.exported] == ["detector-fp32.tflite", "detector-int8.tflite"]
    best = min(done.errors, key=lambda key: done.errors[key].value)
    test = FaceDataset(sets / "test")
    for model in done.exported:
        detector = LandmarkDetector(model.file)
        assert (model.arm, model.real) == best and detector.about["provenance"]["licence"] == "CC0-1.0"
        errors = nme(detector.landmarks(test.images(np.arange(12))), test.landmarks, test.scheme)
        assert model.nme == pytest.approx(errors.mean(), abs=1e-6) and model.ms > 0
    assert "detector/detector-int8.tflite" in (done.out / "index.html").read_text()


def test_a_study_that_was_stopped_trains_what_is_missing(done, toys, sets, trained):
    before = {path: path.stat().st_mtime_ns for path in (done.out / "trainings").glob("*.npz")}
    gone = done.out / "trainings" / "real+smart+classical-8-1.npz"
    was = read_arrays(gone)["nme"]
    gone.unlink()
    cut, lost = (done.out / "trainings" / name for name in ("real-8-1.npz", "real+classical-8-0.keras"))
    write_arrays(cut, {"nme": read_arrays(cut)["nme"][:5], "share": np.zeros((), np.float32)})
    lost.unlink()
    again = study(config(toys, sets, done.out, run=trained, arms=TRIED))
    assert read_arrays(gone)["nme"] == pytest.approx(was, abs=1e-5)
    after = {path: path.stat().st_mtime_ns for path in (done.out / "trainings").glob("*.npz")}
    assert {path for path in before if before[path] != after[path]} == {gone, cut, lost.with_suffix(".npz")}
    assert lost.exists() and len(read_arrays(cut)["nme"]) == 12
    # Nothing is trained for less of it.
    fewer = study(config(toys, sets, done.out, amounts=(8,), seeds=1, run=trained, arms=TRIED[:4]))
    (compared,) = fewer.gains
    assert compared == ("real + synthetic + classical", "real + classical", 8)
    assert len(list((done.out / "trainings").glob("*.npz"))) == len(before)
    assert all(again.gains[key].value == pytest.approx(done.gains[key].value, abs=1e-4) for key in done.gains)
    with pytest.raises(UsageError, match="holds a study with other options .--steps 3.; take these, add --overwrite"):
        study(config(toys, sets, done.out, run=trained, steps=4))
    with pytest.raises(UsageError, match="holds a study with other options; take these, add --overwrite"):
        study(config(toys, sets, done.out, run=trained, alpha=2.0))


def test_photos_with_pts_files_are_made_into_datasets(photos, sets, tmp_path):
    for folder, looks in (("people", "a"), ("others", "b")):
        (tmp_path / folder).mkdir()
        for photo in (photos / looks).iterdir():
            shutil.copy(photo, tmp_path / folder)
            points = draw_face(random_look(np.random.default_rng((0, int(photo.stem)))), 256)[1]
            write_pts(tmp_path / folder / f"{photo.stem}.pts", points)
    wanted = StudyConfig(
        real=tmp_path / "people", test=tmp_path / "others", synthetic=sets / "synthetic", out=tmp_path / "study"
    )
    real, test = real_and_test(wanted, Processes(1))
    assert real.path == tmp_path / "study-real" and test.path == tmp_path / "study-test"
    assert (len(real), len(test), real.size, real.provenance.annotator) == (5, 5, 32, "pts")
    again, _ = real_and_test(wanted, Processes(1))  # what is there is taken
    assert (again.images(np.arange(5)) == real.images(np.arange(5))).all()
    next((tmp_path / "people").glob("*.png")).unlink()
    with pytest.raises(UsageError, match="study-real was made from other photos than .*people has now"):
        real_and_test(wanted, Processes(1))
    with pytest.raises(UsageError, match=r"^REAL .* is no folder of photos with \.pts files"):
        real_and_test(replace(wanted, real=photos, out=tmp_path / "x"), Processes(1))
    with pytest.raises(UsageError, match="^REAL .*nowhere is no folder of photos"):
        real_and_test(replace(wanted, real=tmp_path / "nowhere", out=tmp_path / "y"), Processes(1))


def test_a_run_draws_the_generated_faces_and_mixes_no_others(toys, sets, trained, tmp_path):
    wanted = StudyConfig(real=toys, test=sets / "test", out=tmp_path, run=trained)
    assert len(real_and_test(wanted, Processes(1))[0]) == 48
    drawn, smart = FaceDataset(sets / "synthetic"), arms_called(("real+smart",))
    assert len(drawn) == 100 and "Keras" in drawn.about["generator"] and drawn.size == 32
    assert mixing_run(wanted, smart, drawn).path == trained
    assert mixing_run(wanted, arms_called(("real+synthetic",)), drawn) is None
    with pytest.raises(UsageError, match="--run .*tiny draws faces of 32 pixels with ibug49 landmarks, .* have 64 and"):
        mixing_run(wanted, smart, FaceDataset(sets / "large"))


def test_the_share_of_generated_faces_is_that_which_does_best_on_real_ones_held_out(toys, sets, tmp_path, monkeypatch):
    every, made = (labelled(FaceDataset(path), IBUG49) for path in (toys, sets / "synthetic"))
    taught, asked = [], []

    def fit(diet, steps, *_, **__):
        """A detector that errs the more, the further its share is from 0.5."""
        taught.append((diet, steps))
        return diet.synthetic_share

    def detect(share, images):
        asked.append(images)
        return landmarks[len(images)] + abs(share - 0.5)

    landmarks = {4: every[chosen(48, 20, 1)[:4]].landmarks, 48: every.landmarks}
    monkeypatch.setattr("lmedge.detector.network.fit", fit)
    monkeypatch.setattr("lmedge.detector.network.detect", detect)
    for name, value in {
        "_config": config(toys, sets, tmp_path, steps=400), "_seen": np.full((48, 49, 2), np.nan, np.float32),
        "_sets": {"real": every, "synthetic": made, "test": every},
    }.items():  # fmt: skip
        monkeypatch.setattr(f"lmedge.study.work.{name}", value, raising=False)
    (arm,) = arms_called(("real+synthetic",))
    assert work(Training(arm, 20, 1)).share == pytest.approx(0.6)
    assert [(diet.synthetic_share, len(diet.real), steps) for diet, steps in taught] == [
        (0.0, 16, 100), (0.3, 16, 100), (0.6, 16, 100), (0.9, 16, 100), (0.6, 20, 400),
    ]  # fmt: skip
    held = {face.tobytes() for face in asked[0]}
    assert len(held) == 4 and not any(face.tobytes() in held for diet, _ in taught[:4] for face in diet.real.images)
    assert work(Training(arm, 8, 1)).share == 0.5  # of too few to choose


def test_a_larger_amount_holds_the_faces_of_a_smaller_one():
    assert (chosen(48, 8, 3) == chosen(48, 20, 3)[:8]).all() and not (chosen(48, 8, 3) == chosen(48, 8, 4)).all()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"amounts": (8, 100)}, r"--amounts 100: .*toys holds 48 faces; take at most that, or 0 for all"),
        ({"amounts": ()}, "--amounts names none"),
        ({"arms": ()}, "--arms names none; take some such as real.classical"),
        ({"arms": ("real+mixed",)}, r"--arms real.mixed mixes faces by the networks .* name their run with --run"),
        (
            {"amounts": (1,), "arms": ("real+smart",), "run": "pretrained"},
            r"--amounts 1: --arms real\+smart mixes two real faces; take at least 2",
        ),
        ({"beta": -1.0}, "--beta must be between 0 and 1000000, not -1"),
        ({"amounts": (-1,)}, "--amounts must be at least 0, not -1"),
        ({"seeds": 0}, "--seeds must be between 1 and 100, not 0"),
        ({"steps": 0}, "--steps must be between 1 and 10000000, not 0"),
        ({"synthetic_share": 1.0}, "--synthetic-share must be between 0.01 and 0.99, not 1"),
    ],
)
def test_a_wrong_call_is_refused(toys, sets, tmp_path, options, sentence):
    with pytest.raises(UsageError, match=sentence):
        study(config(toys, sets, tmp_path / "out", **options))
    assert not (tmp_path / "out").exists()


def test_faces_that_cannot_be_compared_are_refused(toys, sets, tmp_path):
    with pytest.raises(UsageError, match=r"--test .*toys shares 48 faces with"):
        study(StudyConfig(real=toys, test=toys, out=tmp_path / "a", synthetic=sets / "synthetic", amounts=(8,)))
    with pytest.raises(UsageError, match="has faces of 64 pixels and the generated ones have 32"):
        study(
            StudyConfig(real=toys, test=sets / "large", out=tmp_path / "b", synthetic=sets / "synthetic", amounts=(8,))
        )
    with pytest.raises(UsageError, match="ibug49 has no jaw_0 .ibug68/0., so it cannot give ibug68"):
        study(StudyConfig(real=toys, test=sets / "test", out=tmp_path / "c", synthetic=sets / "few", amounts=(8,)))
    assert len(FaceDataset(sets / "few")) == 12
