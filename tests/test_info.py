import json
import math
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest

from lmedge.about.summary import summary
from lmedge.cli import main
from lmedge.faces.records import FaceDataset
from lmedge.gan import checkpoint
from lmedge.keras_file import save_network
from lmedge.labels.folder import LabelFolder, Placed
from lmedge.run import VERB_OF
from lmedge.runtime import Bundle, FaceSampler
from lmedge.scheme import Scheme
from lmedge.shipped import REFERENCE


@pytest.fixture
def told(capsys):
    """`told(...)` -> what `lmedge info ...` prints."""

    def printed(*words):
        assert main(["info", *map(str, words)]) == 0
        return capsys.readouterr().out

    return printed


def rows(text):
    return dict(line.split("  ", 1) for line in text.splitlines())


def test_without_a_path_it_tells_of_the_model_that_ships(told):
    text = told()
    assert text == told(REFERENCE)
    about = json.loads((REFERENCE / "bundle.json").read_text())
    assert about["name"] in text and about["training"]["licence"] in text and f"{about['training']['faces']:,}" in text
    assert set(about["variants"]) <= rows(text).keys()
    # What people read: no list of a hundred numbers, no line that is folded.
    assert len(text.splitlines()) < 25 and max(map(len, text.splitlines())) < 110


def test_json_has_everything(told):
    assert json.loads(told("--json")) == {"kind": "bundle", **json.loads((REFERENCE / "bundle.json").read_text())}


def test_a_dataset(told, toys):
    facts = rows(told(toys))
    dataset = FaceDataset(toys)
    assert facts["dataset"].strip() == f"{len(dataset)} faces of {dataset.size} x {dataset.size} pixels"
    assert facts["size"].endswith("in 1 shard") and facts["left out"].strip() == "none"


def test_a_run(told, trained):
    facts = rows(told(trained))
    assert {name.strip() for name in facts["has"].split(",")} >= {"generator", "encoder", "L-Gen", "latents"}
    assert "metrics" in facts["lacks"] and facts["checkpoint"].strip() == "step 6"
    spec = json.loads((trained / "config.json").read_text())["latent"]
    assert facts["latent"].strip() == f"{spec['size']} numbers, uniform in -1..1"
    nme = json.loads((trained / "lgen.json").read_text())["held_out"]["nme"]
    assert f"{nme:.2%}" in facts["L-Gen"]


def test_a_model(told, bundle):
    text = told(bundle / "faces-int8.tflite")
    assert "faces int8" in text and "z -> confidence, image, landmarks, point_confidence" in text
    assert f"{(bundle / 'faces-int8.tflite').stat().st_size / 1024:,.0f} KiB" in text


def test_labels(told, tmp_path):
    eyes = Scheme("eyes", ("right", "left", "chin"), (1, 0, 2), (), (0, 1), ("hand",) * 3)
    labels = LabelFolder.create(tmp_path / "labels", FaceSampler(), eyes)
    labels.add(np.zeros((4, labels.z.shape[1])), np.zeros((4, 64, 64, 3), np.uint8))
    for face, points in enumerate(((2, 1, 2), (2, 2, 0), (1, 0, 0))):
        for point, seen in enumerate(points):
            labels.place(face, point, Placed(5 * point, 7, seen), Placed())
    facts = {name: text.strip() for name, text in rows(told(labels.path)).items()}
    assert facts["labels"] == "on 4 faces of 64 x 64 pixels" and facts["landmarks"] == "eyes, 3 points"
    assert facts["labelled"] == "1 whole, 2 in part" and facts["points"] == "6 placed, 2 of them hidden"
    assert facts["fewest"] == "chin, on 1 of 4 faces" and facts["generator"] == Bundle.of(None).version[:12]
    assert json.loads(told(labels.path, "--json"))["placed"] == {"right": 3, "left": 2, "chin": 1}


def test_a_name_cannot_steer_the_terminal(told, tmp_path):
    copy = shutil.copytree(REFERENCE, tmp_path / "copy")
    about = json.loads((copy / "bundle.json").read_text())
    (copy / "bundle.json").write_text(json.dumps(about | {"name": "red \x1b[31m\nline"}))
    text = told(copy)
    assert "\x1b" not in text and r"red \x1b[31m\nline" in text.splitlines()[0]


def test_facts_of_another_type_are_left_out():
    about = json.loads((REFERENCE / "bundle.json").read_text())
    about |= {"kind": "bundle", "training": ["many"], "image": None, "latent": {"size": "x", "low": {}}, "controls": 3,
              "provenance": "x"}  # fmt: skip
    about["variants"]["fp32"] |= {"bytes": "x", "parity": {"image_psnr": "x"}, "min_runtime": {}}
    names = [line.split("  ")[0] for line in summary(about)]
    assert names == ["bundle", "landmarks", "int8", "int8-qat"]


def test_half_of_the_facts_still_give_a_summary():
    assert summary({"kind": "run", "stages": []})[0] == "run         nothing was done yet"


def test_numbers_that_no_float_holds_are_left_out(lmedge_here, bundle, tmp_path):
    shutil.copytree(bundle, tmp_path / "b")
    about = json.loads((tmp_path / "b" / "bundle.json").read_text())
    about["variants"]["fp32"]["bytes"] = about["variants"]["fp32"]["parity"]["landmark_nme"] = 10**400
    (tmp_path / "b" / "bundle.json").write_text(json.dumps(about))
    assert lmedge_here("info", tmp_path / "b").returncode == 0


def test_a_run_or_model_of_another_version_is_refused(lmedge_here, trained, tmp_path):
    (tmp_path / "run").mkdir()
    config = json.loads((trained / "config.json").read_text())
    (tmp_path / "run" / "config.json").write_text(json.dumps({**config, "schema": 2}))
    told = lmedge_here("info", tmp_path / "run")
    assert told.returncode == 1 and "has schema 2, this version reads" in told.stderr


@pytest.mark.parametrize("bad", [None, [], "x", math.nan])
@pytest.mark.parametrize(
    ("kind", "file", "parts"),
    [
        ("toys", "dataset.json", ("schema", "size", "count", "shards", "scheme", "provenance")),
        ("trained", "config.json", ("schema", "stages", "latent")),
        ("trained", "lgen.json", ("held_out", "provenance", "mean_face_nme")),
        ("bundle", "bundle.json", ("schema", "latent", "landmarks", "image", "provenance", "controls", "variants")),
    ],
)
def test_what_others_read_is_refused_where_it_is_of_another_kind(
    lmedge_here, request, tmp_path, kind, file, parts, bad
):
    there = request.getfixturevalue(kind)
    shutil.copytree(there, tmp_path / "x", ignore=shutil.ignore_patterns("checkpoints", "latents", "tensorboard"))
    whole = json.loads((there / file).read_text())
    for part in parts:
        (tmp_path / "x" / file).write_text(json.dumps({**whole, part: bad}))
        told = lmedge_here("info", tmp_path / "x")
        if isinstance(bad, list) and isinstance(whole[part], list):
            continue
        assert told.returncode == 1 and told.stderr.startswith("lmedge: ") and told.stderr.count("\n") == 1, part
        assert file in told.stderr, told.stderr


@pytest.mark.parametrize(
    ("kind", "file", "path", "bad"),
    [
        ("bundle", "bundle.json", ("variants", "fp32", "sha256"), None),
        ("bundle", "bundle.json", ("latent", "blocks", 0, "low"), math.nan),
        ("trained", "config.json", ("latent", "blocks", 0, "high"), math.nan),
        ("trained", "config.json", ("dataset", "scheme"), []),
        ("trained", "config.json", ("dataset", "provenance", "annotator"), 3),
        ("trained", "config.json", ("stages", "invert"), "x"),
        ("toys", "dataset.json", ("scheme", "names"), None),
        ("toys", "dataset.json", ("count",), -1),
    ],
)
def test_a_field_that_was_edited_is_refused(lmedge_here, request, tmp_path, kind, file, path, bad):
    there = request.getfixturevalue(kind)
    shutil.copytree(there, tmp_path / "x", ignore=shutil.ignore_patterns("checkpoints", "latents", "tensorboard"))
    about = json.loads((there / file).read_text())
    place = about
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = bad
    (tmp_path / "x" / file).write_text(json.dumps(about))
    told = lmedge_here("info", tmp_path / "x")
    assert told.returncode == 1 and told.stderr.startswith("lmedge: ") and file in told.stderr, told.stderr


def test_a_copy_of_a_checkpoint_under_another_name_is_the_users(told, trained, tmp_path):
    run = shutil.copytree(trained, tmp_path / "run")
    (found,) = checkpoint.checkpoints(run / "checkpoints")[-1:]
    shutil.copy(found, found.with_name(f"{found.stem}_best.npz"))
    assert rows(told(run))["checkpoint"] == rows(told(trained))["checkpoint"]
    assert checkpoint.checkpoints(run / "checkpoints")[-1] == found


def emptied(file):
    file.write_bytes(b"")


def halved(file):
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


@pytest.fixture
def refused(capsys):
    """`refused(path)` -> the one line with which `lmedge info path` refuses it."""

    def said(path):
        assert main(["info", str(path)]) == 1
        found = capsys.readouterr()
        assert not found.out and found.err.startswith("lmedge: ") and found.err.count("\n") == 1
        return found.err

    return said


NETWORKS = ("generator.keras", "lgen.keras", "encoder.keras", "point_confidence.keras")


@pytest.mark.parametrize("harm", [emptied, halved])
@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_of_a_run_that_was_cut_short_is_named(refused, trained, tmp_path, name, harm):
    run = shutil.copytree(trained, tmp_path / "run", ignore=shutil.ignore_patterns("checkpoints"))
    harm(run / name)
    assert f"{run / name} cannot be read (File is not a zip file); run `lmedge {VERB_OF[name]}` again." in refused(run)


@pytest.mark.parametrize(("harm", "what"), [(Path.unlink, "is missing"), (emptied, "cannot be read"),
                                            (halved, "cannot be read")])  # fmt: skip
def test_attributes_without_their_network_are_refused(told, refused, tmp_path, harm, what):
    share = {"balanced_accuracy": 0.9}
    about = {"schema": 1, "names": ["Lit"], "prevalence": [0.5], "measured": {"Lit": share}, "left_out": [], "size": 16,
             "dataset": {"digest": "0", "count": 3, "licence": "CC0"}}  # fmt: skip
    (tmp_path / "attributes.json").write_text(json.dumps(about))
    save_network(keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]), tmp_path / "attributes.keras")
    told(tmp_path)
    harm(tmp_path / "attributes.keras")
    assert f"attributes.keras {what}" in refused(tmp_path)


@pytest.mark.parametrize(("harm", "what"), [(Path.unlink, "is missing"), (emptied, "is damaged"),
                                            (halved, "is damaged")])  # fmt: skip
def test_labels_without_their_pictures_are_refused(told, refused, tmp_path, harm, what):
    eyes = Scheme("eyes", ("right", "left", "chin"), (1, 0, 2), (), (0, 1), ("hand",) * 3)
    labels = LabelFolder.create(tmp_path / "labels", FaceSampler(), eyes)
    labels.add(np.zeros((4, labels.z.shape[1])), np.zeros((4, 64, 64, 3), np.uint8))
    told(labels.path)
    harm(labels.image_file(2))
    assert f"000002.png {what}; take a whole copy" in refused(labels.path)
    shutil.rmtree(labels.path / "images")
    assert "000000.png is missing, and 3 other pictures are missing or damaged" in refused(labels.path)


def test_the_root_of_the_disk_is_no_dataset(capsys):
    assert main(["info", "/"]) == 2
    assert "/ is neither a dataset" in capsys.readouterr().err
