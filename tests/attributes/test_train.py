import json
import re
import shutil

import numpy as np
import pytest
from PIL import Image

from lmedge.attributes.labeller import Labeller
from lmedge.attributes.options import TrainAttributesConfig
from lmedge.attributes.train import train_attributes
from lmedge.errors import LmedgeError, UsageError
from lmedge.faces.records import FaceDataset
from tests.showing import COUNT, LABELLED, SIZE, shown


def test_what_can_be_seen_is_learnt_and_what_cannot_is_left_out(attribute_network):
    about = json.loads((attribute_network / "attributes.json").read_text())
    assert about["names"] == ["Lit", "Blue"] and about["left_out"] == ["Lucky"]
    figures = about["measured"]
    assert figures["Lit"]["balanced_accuracy"] > 0.95 and figures["Lucky"]["balanced_accuracy"] < 0.75
    assert figures["Blue"]["yes"] + figures["Blue"]["no"] < about["faces"]["held_out"]  # some are unknown
    assert sum(about["people"]) == LABELLED // 3  # no person is on two sides
    assert about["shares"]["Blue"] == pytest.approx(0.2, abs=0.07)
    with Image.open(attribute_network / "sheet.png") as sheet:
        assert sheet.height == 2 * SIZE + 2 and sheet.width > 12 * SIZE


def test_faces_that_it_never_saw_are_told(attribute_network):
    images, values = shown(200, seed=5)
    labeller = Labeller.open(attribute_network)
    likely = labeller.probabilities(images)
    for i, name in enumerate(labeller.names):
        right = (likely[:, i] > labeller.prevalence[i]) == (values[:, i] > 0)
        assert right.mean() > 0.95, name
    assert labeller.shares(images)["Blue"] == pytest.approx((values[:, 1] > 0).mean(), abs=0.05)


def test_a_dataset_has_what_somebody_said_and_elsewhere_what_the_network_says(attribute_network, shown_faces):
    dataset = FaceDataset(shown_faces)
    values = Labeller.open(attribute_network).of(dataset)
    said = dataset.attributes[:, :2]
    known = ~np.isnan(said)
    assert (values[known] == said[known]).all() and not np.isnan(values).any()
    assert np.abs(values).max() <= 1 and known.sum() == LABELLED + LABELLED * 7 // 8
    _, true = shown()
    assert (np.sign(values) == true[:, :2]).mean() > 0.97
    assert (np.abs(values[LABELLED:]) < 1).mean() > 0  # soft
    with pytest.raises(LmedgeError, match="says what other faces show"):
        other = FaceDataset(shown_faces)
        other.digest = "another"
        Labeller.open(attribute_network).of(other)


def test_the_verb_says_how_good_each_is(shown_faces, tmp_path, lmedge_here):
    out = tmp_path / "out"
    options = ("--attributes", "Lit", "--epochs", 6, "--batch", 16)
    done = lmedge_here("train-attributes", shown_faces, "--out", out, *options)
    assert "Lit          balanced accuracy" in lmedge_here("info", out).stdout
    assert done.returncode == 0 and f"1 of 1 attributes in {out}" in done.stdout and "train-attributes:" in done.stderr
    again = lmedge_here("train-attributes", shown_faces, "--out", out, *options)
    assert again.returncode == 2 and "add --overwrite" in again.stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"attributes": ("lit",)}, "--attributes lit: .* has none of that name; did you mean Lit"),
        ({"held_out": 0.01, "epochs": 1, "min_balanced_accuracy": 1.0}, r"no attribute reaches .* 1 on people .*\("),
    ],
)
def test_what_cannot_be_learnt_is_refused(shown_faces, tmp_path, options, said):
    with pytest.raises(LmedgeError, match=said):
        train_attributes(TrainAttributesConfig(faces=shown_faces, out=tmp_path / "out", **options))
    assert not (tmp_path / "out").exists()


def test_one_value_alone_cannot_be_learnt(toys, shown_faces, tmp_path, lmedge_here):
    (tmp_path / "a.csv").write_text("file,Drawn,Even\n" + "".join(f"toy-{i:07},1,{i % 2}\n" for i in range(48)))
    lmedge_here("add-attributes", toys, tmp_path / "a.csv", "--out", tmp_path / "faces")
    options = {"faces": tmp_path / "faces", "out": tmp_path / "out"}
    with pytest.raises(UsageError, match="--attributes Drawn: all faces of .* have the same value"):
        train_attributes(TrainAttributesConfig(**options, attributes=("Even", "Drawn")))
    with pytest.raises(UsageError, match=r"toys has no attributes; give it some with `lmedge add-attributes`"):
        train_attributes(TrainAttributesConfig(faces=toys, out=tmp_path / "out"))


def relabelled(shown_faces, folder, lmedge_here, head, row):
    """The same faces, of which `row` says what each shows."""
    (folder / "a.csv").write_text(f"file,{head}\n" + "".join(f"{i}.jpg,{row(i)}\n" for i in range(COUNT)))
    lmedge_here("add-attributes", shown_faces, folder / "a.csv", "--out", folder / "faces")
    return folder / "faces"


def no_training(*_):
    raise AssertionError("it trains, although nothing could be measured")


def test_what_nothing_could_measure_is_refused_before_the_training(shown_faces, tmp_path, lmedge_here, monkeypatch):
    faces = relabelled(shown_faces, tmp_path, lmedge_here, "Rare", lambda i: int(i == 0))
    monkeypatch.setattr("lmedge.attributes.train.fit_network", no_training)
    with pytest.raises(
        UsageError, match=r"no attribute with both values .*\(Rare: 0 held-out faces with it, 36 without"
    ):
        train_attributes(TrainAttributesConfig(faces=faces, out=tmp_path / "out"))


def test_an_attribute_that_nothing_could_measure_is_named_and_left_out(shown_faces, tmp_path, lmedge_here):
    lit = shown()[1][:, 0]
    faces = relabelled(shown_faces, tmp_path, lmedge_here, "Rare,Lit", lambda i: f"{int(i == 0)},{int(lit[i] > 0)}")
    options = ("--epochs", 3, "--batch", 16, "--min-balanced-accuracy", 0.5)
    done = lmedge_here("train-attributes", faces, "--out", tmp_path / "out", *options)
    assert done.returncode == 0 and "the same value: Rare\n" in done.stderr and "nan" not in done.stdout
    assert re.search(r"^Rare +not measured +0 +36  left out$", done.stdout, re.MULTILINE)
    about = json.loads((tmp_path / "out" / "attributes.json").read_text())
    assert about["names"] == ["Lit"] and about["left_out"] == ["Rare"]
    assert about["measured"]["Rare"]["balanced_accuracy"] is None


def test_an_edited_or_damaged_folder_is_refused(attribute_network, shown_faces, tmp_path):
    for name, change, said in (
        ("attributes.json", lambda text: text.replace('"schema": 1', '"schema": 9'), "has schema 9"),
        ("attributes.json", lambda text: text.replace('"Lit",', "", 1), "no share between 0 and 1 for each"),
        ("attributes.keras", lambda text: "no network", "run `lmedge train-attributes` again"),
    ):
        copy = tmp_path / said.replace(" ", "-").replace("`", "")
        shutil.copytree(attribute_network, copy)
        text = (copy / name).read_text(errors="replace")
        (copy / name).write_text(change(text))
        with pytest.raises(LmedgeError, match=said):
            Labeller.open(copy)
    copy = tmp_path / "predicted"
    shutil.copytree(attribute_network, copy)
    np.savez(copy / "predicted.npz", values=np.zeros((COUNT, 1), np.float32))
    with pytest.raises(LmedgeError, match=r"predicted.npz has values of other faces"):
        Labeller.open(copy).of(FaceDataset(shown_faces))
