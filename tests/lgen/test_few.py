"""L-Gen from few labels, down to a model of the new points."""

import json
import shutil

import numpy as np
import pytest
from scipy.stats import spearmanr

from convert.options import ExportConfig
from convert.stage import export_run
from lmedge.errors import LmedgeError, UsageError
from lmedge.keras_file import save_network
from lmedge.labels.folder import LabelFolder, Placed
from lmedge.lgen.few import learn, without_shapes
from lmedge.lgen.options import TrainLgenConfig
from lmedge.lgen.train import train_lgen
from lmedge.run import Run
from lmedge.runtime import FaceSampler
from lmedge.scheme import Scheme
from tests.at_its_word import LATENT
from tests.conftest import TINY

# The first point is the middle of known ones, and known points are taken over where nobody labels them.
NEW = Scheme("new", ("between", "tip", "outer right", "outer left"), (0, 1, 3, 2), ((0, 1),), (2, 3),
             ("hand", "hand", "ibug68/36", "ibug68/45"))  # fmt: skip


def truth(model, z):
    """The new points `[N, 4, 2]` in pixels, as they follow from those that L-Gen knows."""
    points = model.landmarks(z).astype(float)
    right, left, tip = (points[:, model.scheme.index(f"ibug68/{i}")] for i in (36, 45, 30))
    return np.stack([(right + left) / 2, tip + (right + left - 2 * tip) * 0.1, right, left], axis=1)


@pytest.fixture(scope="module")
def run(trained, tmp_path_factory):
    """The tiny run with an L-Gen that moves its points as far as a real one."""
    run = Run(shutil.copytree(trained, tmp_path_factory.mktemp("few") / "run"))
    network = run.lgen()
    *weights, kernel, bias = network.get_weights()
    random = np.random.default_rng(0)
    network.set_weights([*weights, random.normal(0, 0.03, kernel.shape), bias])
    save_network(network, run.lgen_file)
    return run


@pytest.fixture
def labels(run, tmp_path):
    """Eight faces, labelled without a mistake but for a face of which a part is missing."""
    model = run.face_model()
    labels = LabelFolder.create(tmp_path / "labels", model, NEW)
    faces = model.sample(8, seed=4)
    labels.add(faces.latents, faces.images)
    for face, points in enumerate(truth(model, faces.latents)):
        for point, (x, y) in enumerate(points[: 2 if face else 1]):
            labels.place(face, point, Placed(float(x), float(y), 2), Placed())
    return labels


def config(run, labels, out, **options):
    return TrainLgenConfig(run=run.path, labels=labels.path, out=out,
                           **{"generated": 600, "steps": 900, "hidden": (32, 32), **options})  # fmt: skip


def test_a_model_of_new_points_comes_from_eight_faces(run, labels, tmp_path, lmedge_here):
    before = {file: file.read_bytes() for file in run.path.rglob("*") if file.is_file()}
    out = Run(tmp_path / "mine")
    options = ["--generated", 600, "--steps", 900, "--hidden", 32, 32]
    done = lmedge_here("train-lgen", run.path, "--labels", labels.path, "--out", out.path, *options)
    assert done.returncode == 0, done.stderr
    assert {file: file.read_bytes() for file in run.path.rglob("*") if file.is_file()} == before
    assert (
        "  between " in done.stdout
        and "(8 faces)" in done.stdout
        and "not labelled: as the model has it" in done.stdout
    )
    assert "error on faces left out: " in done.stdout and "8 of 8 faces are labelled in part" in done.stderr
    assert (out.report / "labels.png").exists() and "learnt without the face" in (out.report / "index.html").read_text()

    model, new = run.face_model(), out.face_model()
    z = model.latent.draw(200, seed=77)
    true = truth(model, z)
    apart = np.linalg.norm(true[:, 2] - true[:, 3], axis=-1)[:, None]
    off = np.linalg.norm(new.landmarks(z) - true, axis=-1) / apart
    mean_face = np.linalg.norm(true.mean(axis=0) - true, axis=-1) / apart
    assert (off.mean(axis=0) < 0.35 * mean_face.mean(axis=0)).all(), (off.mean(axis=0), mean_face.mean(axis=0))
    metrics = json.loads(out.lgen_metrics_file.read_text())
    assert metrics["held_out"]["faces"] == 8 and 0 < metrics["held_out"]["nme"] < metrics["mean_face_nme"]
    assert np.array_equal(new.render(z[:2]).images, model.render(z[:2]).images)
    assert new.provenance.annotator == "hand" and new.sure(z).std() > 0.05

    # Points that nobody has labelled are as exact as those of the run.
    deviation = learn(labels, model).fit(model.landmarks(z)).deviation
    expected = np.where(np.isnan(deviation), run.lgen_metrics()["held_out"]["nme"], deviation / apart)
    sure = new.render(z).point_confidence
    assert np.isnan(deviation[:, 2:]).all() and spearmanr(-sure, expected, axis=None).statistic > 0.8
    ranks = metrics["point_confidence"]
    assert 0 < ranks["error_surest"] <= ranks["error_least_sure"] and "of the surest quarter" in done.stdout

    bundle = export_run(ExportConfig(run=out.path, out=tmp_path / "bundle", variants=("fp32",), calibration=4))
    drawn = FaceSampler(bundle).render(z[:4])
    assert drawn.scheme == NEW and drawn.landmarks == pytest.approx(new.landmarks(z[:4]), abs=1e-3)
    assert drawn.point_confidence == pytest.approx(sure[:4], abs=1e-4)
    again = train_lgen(config(run, labels, out.path, steps=20))  # after more labels, into the same run
    assert again.run.path == out.path and TINY["latent"] == model.latent.size
    (out.path / "config.json").unlink()  # as a kill leaves it
    with pytest.raises(UsageError, match="is not a run"):
        Run.open(out.path)
    again = train_lgen(config(run, labels, out.path, steps=20))
    assert Run.open(out.path).face_model().scheme == NEW
    others = LabelFolder.create(tmp_path / "others", model, NEW)
    faces = model.sample(8, seed=5)
    others.add(faces.latents, faces.images)
    for face, points in enumerate(truth(model, faces.latents)):
        for point, (x, y) in enumerate(points[:2]):
            others.place(face, point, Placed(float(x), float(y), 2), Placed())
    with pytest.raises(UsageError, match="was made of other labels than"):
        train_lgen(config(run, others, out.path, steps=20))


def test_latents_ask_for_no_points_that_are_not_the_labels():
    plain = without_shapes(LATENT)
    assert plain.shape is None and np.array_equal(plain.draw(5, seed=3), LATENT.draw(5, seed=3))


def test_what_cannot_be_learnt_from_is_a_sentence(run, labels, trained, tmp_path):
    def refused(sentence, kind=LmedgeError, **options):
        with pytest.raises(kind, match=sentence):
            train_lgen(config(run, labels, tmp_path / "out", **options))
        assert not (tmp_path / "out").exists()

    with pytest.raises(UsageError, match="--labels and --out go together"):
        train_lgen(TrainLgenConfig(run=run.path, labels=labels.path))
    with pytest.raises(UsageError, match="--labels and --out go together"):
        train_lgen(TrainLgenConfig(run=run.path, out=labels.path))
    with pytest.raises(UsageError, match="is not what `lmedge train-lgen --labels` made of this generator"):
        train_lgen(config(run, labels, trained))
    with pytest.raises(UsageError, match="holds no labels"):
        train_lgen(TrainLgenConfig(run=run.path, labels=run.path, out=tmp_path / "out"))
    for face in range(2, 6):
        labels.place(face, 1, Placed(), labels.at(face, 1))
    refused("has tip on 3 faces; go on with `lmedge label` until it is on 5")
    labels.place(0, 2, Placed(1, 1, 2), Placed())
    labels.place(0, 3, Placed(1, 1, 2), Placed())
    refused("has tip on 3 faces")  # a known point that is labelled has to be so often enough too
    for point in range(4):
        labels.place(1, point, Placed(5, 5, 2), labels.at(1, point))
    refused("000001.png, as labelled, has all of its points on one place")
    about = labels.path / "labels.json"
    about.write_text(json.dumps({**json.loads(about.read_text()), "generator": "0" * 12}))
    refused("its latents draw other faces now", UsageError)
