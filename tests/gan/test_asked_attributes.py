"""A run whose latents ask for attributes, from the command line to its faces."""

import json
import re

import numpy as np
import pytest
from PIL import Image

from lmedge.attributes.labeller import Labeller
from lmedge.cli import main
from lmedge.faces.records import FaceDataset
from lmedge.gan.data import batches, face_batches
from lmedge.run import Run
from tests.gan.test_relativistic_run import OPTIONS

NAMES = ("Blue", "Lit")
NETWORKS = OPTIONS[: OPTIONS.index("--checkpoint-every")]  # a checkpoint every third step takes as long as the steps


def words(faces, run, kimg, *more):
    return [
        str(word) for word in ("train-gan", faces, "--run", run, *NETWORKS, "--held-out", 0.2, "--kimg", kimg, *more)
    ]


@pytest.fixture(scope="module")
def asking(shown_faces, attribute_network, tmp_path_factory):
    """A run of faces that are lit or not, blue or not; trained until it draws them so."""
    run = tmp_path_factory.mktemp("asking") / "run"
    more = ("--attributes", attribute_network, "--attribute-names", *NAMES)
    assert main(words(shown_faces, run, 2.4, *more)) == 0
    return Run.open(run)


def test_what_is_asked_for_is_drawn(asking, attribute_network):
    """The network that told the attributes of photos tells them of faces that were asked for."""
    labeller, generator = Labeller.open(attribute_network), asking.generator()
    for name in NAMES:
        likely = []
        for value in (-1, 1):
            z = asking.latent.fixing({name: value}, asking.path, "--set").draw(64)
            faces = np.clip(np.rint((generator.predict(z, verbose=0) + 1) * 127.5), 0, 255).astype(np.uint8)
            likely.append(labeller.shares(faces)[name])
        assert likely[1] > likely[0] + 0.15, name


def test_evaluate_says_how_well_attributes_are_obeyed(asking, attribute_network, tmp_path, lmedge_here):
    out = tmp_path / "out"
    done = lmedge_here("evaluate", asking.path, "--samples", 60, "--out", out)
    assert done.returncode == 0 and "Attributes that are asked for" in done.stdout
    found = json.loads((out / "metrics.json").read_text())["attributes"]
    labeller, generator = Labeller.open(attribute_network), asking.generator()
    at = labeller.names.index("Lit")
    z = asking.latent.draw(30, 0)
    likely = []
    for value in (-1, 1):
        faces = generator.predict(asking.latent.setting(z, {"Lit": value}), verbose=0)
        images = np.clip(faces * 127.5 + 128, 0, 255).astype(np.uint8)
        likely.append(labeller.probabilities(images)[:, at].mean())
    assert found["Lit"]["alone"] == pytest.approx(likely[1] - likely[0], abs=1e-3) and found["Lit"]["alone"] > 0.2
    assert found["Lit"]["photos"] == labeller.balanced_accuracy["Lit"] and 0.6 < found["Lit"]["asked"] <= 1
    assert "attributes.png" in (out / "index.html").read_text()
    with Image.open(out / "attributes.png") as picture:
        assert picture.height > 2 * 32


def test_drawn_attributes_are_as_usual_as_those_of_the_faces(asking, shown_faces, attribute_network):
    shown = Labeller.open(attribute_network).shown_by(FaceDataset(shown_faces), NAMES).attributes
    drawn = asking.latent.split(asking.latent.draw(4000))["attributes"]
    assert (drawn > 0).mean(axis=0) == pytest.approx((shown > 0).mean(axis=0), abs=0.06)
    assert asking.latent.attributes == NAMES and asking.latent.by_block(0.5) == {"person": 0.5}


def test_attributes_come_with_their_faces(shown_faces, attribute_network):
    dataset = Labeller.open(attribute_network).shown_by(FaceDataset(shown_faces), NAMES)
    values = Labeller.open(attribute_network).of(FaceDataset(shown_faces))[:, [1, 0]]
    data = face_batches(dataset, 20, 3, 2, landmarks=True, attributes=True).take(3)
    for indices, (faces, landmarks, attributes) in zip(batches(len(dataset), 20, 3, 2), data, strict=False):
        assert (faces.numpy() == dataset.images(indices)).all()
        assert (landmarks.numpy() == dataset.landmarks[indices]).all()
        assert (attributes.numpy() == values[indices]).all()
    part = dataset.part(np.arange(5, 9))
    assert (part.attributes == values[5:9]).all() and part.attribute_names == NAMES


def test_a_run_says_what_it_can_be_asked_for(asking, lmedge_here):
    said = json.loads(asking.config_file.read_text())["latent"]["blocks"]
    assert [block["name"] for block in said] == ["person", "shape", "attributes"]
    assert said[2]["attributes"] == list(NAMES) and said[2]["distribution"] == "joint"
    told = lmedge_here("info", asking.path).stdout
    assert "asks for 2 attributes" in told and re.search(r"^attributes +Blue, Lit$", told, re.MULTILINE)


def test_wrong_wishes_are_refused_in_a_sentence(asking, shown_faces, attribute_network, toys, tmp_path, capsys):
    run, network = tmp_path / "run", ("--attributes", attribute_network)
    for faces, more, sentence in (
        (shown_faces, ("--attribute-names", "Lit"), "--attribute-names says which of --attributes"),
        (shown_faces, (*network, "--attribute-names", "Hat"), "does not tell Hat; it tells Lit, Blue"),
        (toys, network, "says what other faces show"),
        (shown_faces, ("--attributes", tmp_path), f"{tmp_path}"),
        (
            shown_faces,
            ("--teacher", asking.path),
            "asked for Blue, Lit; take --attributes with --attribute-names Blue Lit",
        ),
    ):
        assert main(words(faces, run, 0.01, *more)) in (1, 2)
        assert sentence in " ".join(capsys.readouterr().err.split())
