import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lmedge.cli import main
from lmedge.datasets.options import SynthesizeConfig
from lmedge.datasets.synthesize import synthesize
from lmedge.detecting.options import TrainDetectorConfig
from lmedge.detecting.train import train_detector
from lmedge.detector.faces import Given, cutting_like, dataset_at, parted
from lmedge.errors import UsageError
from lmedge.faces.cartoon import draw_face
from lmedge.faces.look import random_look
from lmedge.faces.options import ToyConfig
from lmedge.faces.records import FaceDataset
from lmedge.faces.toy import toy
from lmedge.landmarks import write_pts
from lmedge.processes import Processes
from lmedge.provenance import Provenance
from lmedge.runtime import FaceSampler
from lmedge.runtime.detector import LandmarkDetector, detector_file
from lmedge.scheme import IBUG49
from lmedge.shipped import REFERENCE
from tests.conftest import FOUND_LOOKS


def hashes(images):
    return {image.tobytes() for image in images}


def test_a_tenth_of_the_real_faces_is_kept_out_and_tested_on(trained_detector, toys):
    lesson, real = trained_detector.lesson, FaceDataset(toys)
    learnt, tested = hashes(lesson.diet.real.images), hashes(lesson.test.images)
    assert len(tested) == 5 and learnt | tested == hashes(real.images(np.arange(48))) and not learnt & tested
    left, right = lesson.test.landmarks[:, 19], lesson.test.landmarks[:, 28]  # outer eye corners
    for model in trained_detector.models:
        points = LandmarkDetector(model.file).landmarks(lesson.test.images)
        off = np.hypot(*(points - lesson.test.landmarks).transpose(2, 0, 1)).mean(axis=1)
        assert model.nme == pytest.approx((off / np.hypot(*(left - right).T)).mean(), rel=1e-4)


def test_beside_few_real_faces_most_of_a_batch_is_generated(trained_detector, bundle):
    diet = trained_detector.lesson.diet
    drawn = FaceSampler(bundle).sample(200, 0, truncation=1)
    sure = drawn.confidence >= 0.2
    assert len(diet.synthetic) == 100 and diet.synthetic_share == 0.8 and diet.how is not None
    assert (diet.synthetic.images == drawn.images[sure][:100]).all()
    assert diet.synthetic.landmarks == pytest.approx(drawn.landmarks[sure][:100])


@pytest.mark.parametrize(("harm", "what"), [
    (Path.unlink, "is missing"),
    (lambda file: file.write_bytes(b""), "is empty"),
    (lambda file: file.write_bytes(file.read_bytes()[:5000]), "is damaged"),
    (lambda file: shutil.copy(file.with_name("detector-fp32.tflite"), file), "is another model than"),
    (lambda file: shutil.copy(REFERENCE / "faces-int8.tflite", file), "is another model than"),
])  # fmt: skip
def test_a_folder_whose_model_is_lost_or_another_one_is_refused(trained_detector, tmp_path, capsys, harm, what):
    copy = shutil.copytree(trained_detector.out, tmp_path / "copy")
    assert main(["info", str(copy)]) == 0
    harm(copy / "detector-int8.tflite")
    assert main(["info", str(copy)]) == 1
    said = capsys.readouterr().err
    assert f"{copy / 'detector-int8.tflite'} {what}" in said and said.count("\n") == 1


def test_the_folder_says_what_the_detector_is(trained_detector, lmedge_here):
    about = json.loads((trained_detector.out / "detector.json").read_text())
    assert (about["size"], about["landmarks"]["scheme"], about["test_faces"]) == (32, "ibug49", 5)
    assert about["learnt_from"] == {"real": 43, "generated": 100, "synthetic_share": 0.8, "moved": False}
    assert about["provenance"]["annotator"] == "drawn" and "CC0-1.0" in about["provenance"]["licence"]
    for name, model in zip(("fp32", "int8"), trained_detector.models, strict=True):
        assert about["variants"][name]["nme"] == model.nme and about["variants"][name]["nme_from_keras"] < 0.02
        assert model.file == detector_file(trained_detector.out, name) and model.bytes == model.file.stat().st_size
    page = (trained_detector.out / "index.html").read_text()
    assert "5 real faces that were held out" in page and "detector-int8.tflite" in page
    with Image.open(trained_detector.out / "held-out.png") as picture:
        assert picture.size == (5 * 130 - 2, 2 * 130 - 2)
    for path in (trained_detector.out, trained_detector.models[0].file):
        assert "ibug49, 49 points" in lmedge_here("info", path).stdout


def test_datasets_are_learnt_from_as_models_are(toys, tmp_path, lmedge_here):
    done = lmedge_here("train-detector", toys, "--out", tmp_path / "d", "--steps", 2, "--no-augment")
    assert done.returncode == 0 and "tested on             5 generated faces that were held out" in done.stdout
    again = lmedge_here("train-detector", toys, "--out", tmp_path / "d", "--steps", 2)
    assert again.returncode == 2 and "add --overwrite" in again.stderr


def changed(dataset, out, **provenance):
    """A copy whose faces are of another provenance."""
    shutil.copytree(dataset, out)
    about = json.loads((out / "dataset.json").read_text())
    about["provenance"] |= provenance
    (out / "dataset.json").write_text(json.dumps(about))
    return out


def test_faces_that_do_not_belong_together_are_refused(toys, bundle, tmp_path, lmedge_here):
    toy(ToyConfig(out=tmp_path / "large", count=12, size=64, workers=1))
    synthesize(SynthesizeConfig(source=bundle, out=tmp_path / "pts", count=4, workers=1))
    cut = {name: {"crop": {"crop": "haar", "margin": margin}} for name, margin in (("near", 0.1), ("far", 0.3))}
    (tmp_path / "bare").mkdir()
    Image.new("RGB", (64, 64)).save(tmp_path / "bare" / "a.png")
    (tmp_path / "a.pts").write_text("")
    near, far = (changed(toys, tmp_path / name, **how) for name, how in cut.items())
    for words, sentence in (
        ((bundle, "--real", tmp_path / "large"), "has faces of 64 pixels and the generated ones have 32"),
        ((near, "--real", far), "has faces cut with --crop haar --margin 0.3, and the generated ones are as if "
                                "cut with --crop haar --margin 0.1; make it again so"),
        ((bundle, "--real", toys, "--test", toys), "shares 48 faces with"),
        ((bundle, "--synthetic-share", "0.3"), "--synthetic-share is that of generated faces beside real ones"),
        ((bundle, "--real", tmp_path / "nowhere"), "--real {0}/nowhere is no folder of photos with .pts files beside"),
        ((bundle, "--real", tmp_path / "bare"), "--real {0}/bare is no folder of photos with .pts files beside them "
                                                "and no dataset made by `lmedge prepare`; name one of them."),
        ((bundle, "--real", toys, "--test", tmp_path / "a.pts"), "--test {0}/a.pts is no folder of photos"),
        ((tmp_path / "pts",), "make them again with `lmedge synthesize --format tfrecord`"),
        ((tmp_path / "nowhere",), "does not exist; name a bundle"),
        ((bundle, "--synthetic-share", "1.5", "--real", toys), "--synthetic-share must be between 0 and 1, not 1.5"),
    ):  # fmt: skip
        refused = lmedge_here("train-detector", *words, "--out", tmp_path / "out")
        sentence = sentence.replace("{0}", str(tmp_path))
        assert refused.returncode == 2 and sentence in refused.stderr and refused.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_groups_are_held_out_whole(trained_detector):
    faces = trained_detector.lesson.diet.real
    groups = np.repeat([f"person {i}" for i in range(10)], 4)
    learnt, tested = parted(faces[np.arange(40)], groups, "x", 3)
    kept = [i for i in range(40) if faces.images[i].tobytes() in hashes(tested.images)]
    assert len(tested) == 4 and len(learnt) == 36 and len(set(groups[kept])) == 1


def test_pts_files_have_the_68_points_or_those_of_the_detector():
    own = replace(IBUG49, name="mine", origin=(*IBUG49.origin[:-1], "hand"))
    crop = {"crop": "haar", "margin": 0.2}
    for scheme, given in ((IBUG49, "ibug68"), (own, "mine")):
        cutting = cutting_like(Provenance("mediapipe", "1", crop).by_lgen("7"), scheme, 64)
        assert (cutting.annotator.given.name, cutting.size, cutting.options()) == (given, 64, crop)


def test_enough_real_faces_want_no_generated_ones(toys, bundle, tmp_path, monkeypatch, lmedge_here):
    monkeypatch.setattr("lmedge.detecting.train.SHARES", ((43, 0.8),))
    config = TrainDetectorConfig(source=bundle, real=toys, out=tmp_path / "d", steps=1, generated=100)
    diet = train_detector(config).lesson.diet
    assert diet.synthetic is None and len(diet.real) == 43


def test_a_detector_of_two_kinds_of_faces_has_the_licences_of_both():
    people, made = Provenance("pts", "1", licence="CC BY 4.0"), Provenance("drawn", "1", licence="CC0-1.0").by_lgen("7")
    assert people.beside(made) == replace(people, licence="CC BY 4.0; of the generated faces: CC0-1.0")
    assert made.beside(made) == made


@pytest.fixture
def people(tmp_path):
    """Three photos with .pts files beside them."""
    (tmp_path / "people").mkdir()
    for number in range(3):
        picture, points = draw_face(random_look(np.random.default_rng((0, FOUND_LOOKS[number]))), 256)
        Image.fromarray(picture).save(tmp_path / "people" / f"{number}.png")
        write_pts(tmp_path / "people" / f"{number}.pts", points)
    return tmp_path / "people"


CUTTING = cutting_like(Provenance("drawn", "1", crop={"crop": "haar", "margin": 0.1}), IBUG49, 32)


def test_only_datasets_that_were_made_for_a_detector_are_replaced(people, tmp_path):
    given, own = Given(people, "--real", "train-detector", tmp_path / "mine"), tmp_path / "mine-real"
    toy(ToyConfig(out=own, count=4, workers=1))
    before = {path.name: path.read_bytes() for path in own.iterdir()}
    for overwrite in (False, True):
        with pytest.raises(UsageError, match="mine-real is a dataset of yours and is not replaced .* as --real, or"):
            dataset_at(given, CUTTING, Processes(1), overwrite)
    assert {path.name: path.read_bytes() for path in own.iterdir()} == before
    shutil.rmtree(own)
    assert len(dataset_at(given, CUTTING, Processes(1), False)) == 3
    (people / "0.png").unlink()
    again = dataset_at(given, CUTTING, Processes(1), True)
    assert len(again) == 2 and again.path == own and again.about["made_by"] == "train-detector"


def test_the_dataset_lies_beside_a_folder_without_a_name(people, tmp_path, monkeypatch):
    (tmp_path / "here" / "below").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here" / "below")
    for out, made in ((".", "here/below-real"), ("..", "here-real"), ("x", "here/below/x-real")):
        assert Given(people, "--real", "study", Path(out)).made.absolute() == tmp_path / made
    assert Given(people, "--test", "study", Path("/")).made == Path("/-test")
