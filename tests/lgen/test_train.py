import dataclasses
import json
import shutil

import numpy as np
import pytest

from lmedge.annotators.face_mesh import FaceMesh
from lmedge.block import Block
from lmedge.errors import LmedgeError, UsageError
from lmedge.faces.cartoon import draw_face
from lmedge.faces.look import random_look
from lmedge.inversion.latents import load_latents
from lmedge.landmarks import in_pixels, nme
from lmedge.latent import LatentSpec
from lmedge.lgen.figures import error_figures
from lmedge.lgen.network import build_lgen
from lmedge.lgen.options import TrainLgenConfig
from lmedge.lgen.train import sets_of, train_lgen
from lmedge.run import Run
from lmedge.scheme import IBUG49, IBUG68, converted
from lmedge.shapes import ShapeSpace
from lmedge.splits import split_by_group
from lmedge.storage import write_arrays
from tests.conftest import FOUND_LOOKS, drawn_photo
from tests.test_executor import Elsewhere


def test_no_group_straddles_the_split_and_every_face_is_somewhere():
    groups = np.array([f"person-{i % 30}" for i in range(200)])
    parts = split_by_group(groups, 0.1, 0)
    assert sorted(np.concatenate(parts)) == list(range(200))
    names = [set(groups[part]) for part in parts]
    assert not names[0] & names[1] and not names[0] & names[2] and not names[1] & names[2]
    assert len(names[1]) == len(names[2]) == 3
    again = split_by_group(groups, 0.1, 0)
    assert all((a == b).all() for a, b in zip(parts, again, strict=True))
    assert set(groups[split_by_group(groups, 0.1, 1)[2]]) != names[2]


def test_too_few_groups_are_refused():
    with pytest.raises(UsageError, match="^1 group of faces cannot be split"):
        split_by_group(np.array(["one"] * 50), 0.1, 0)
    with pytest.raises(UsageError, match="^2 groups"):
        split_by_group(np.array(["one", "two"] * 5), 0.1, 0)


def test_error_figures_of_known_errors():
    figures = error_figures(np.array([0.02, 0.04, 0.06, 0.20], np.float32))
    assert figures["nme"] == pytest.approx(0.08) and figures["nme_median"] == pytest.approx(0.05)
    assert figures["failure_rate"] == 0.25
    curve = dict(zip(np.round(figures["curve"]["nme"], 4), figures["curve"]["share"], strict=True))
    assert curve[0.01] == 0 and curve[0.03] == 0.25 and curve[0.1] == 0.75


def test_the_network_is_dense_layers_with_elu():
    lgen = build_lgen(4, 49, (5,))
    assert lgen.count_params() == 5 * 5 + 6 * 98 and lgen.output_shape == (None, 49, 2)
    z = np.random.default_rng(0).uniform(-1, 1, (3, 4)).astype(np.float32)
    k1, b1, k2, b2 = lgen.get_weights()
    hidden = z @ k1 + b1
    hidden = np.where(hidden > 0, hidden, np.expm1(hidden))
    assert np.asarray(lgen(z)) == pytest.approx((hidden @ k2 + b2).reshape(3, 49, 2), abs=1e-5)


@pytest.fixture
def learnable(trained, tmp_path):
    """The tiny run with latents from which the landmarks do follow: z = the parameters of the landmarks."""
    run = Run(shutil.copytree(trained, tmp_path / "run"))
    faces = [draw_face(random_look(np.random.default_rng((9, i))), 32)[1] for i in range(400)]
    points = converted(np.stack(faces), IBUG68, IBUG49)
    flat = ((points + 0.5) / 32).reshape(400, -1)
    centred = flat - flat.mean(axis=0)
    z = centred @ np.linalg.svd(centred, full_matrices=False)[2][:8].T
    groups = np.array([f"g{i // 2}" for i in range(400)])
    about = json.loads((run.latents / "latents.json").read_text())
    (run.latents / "latents.json").write_text(json.dumps({**about, "count": 400}))
    write_arrays(run.latents / "part-00000.npz", {
        "z": (z / np.abs(z).max()).astype(np.float32), "psnr": np.full(400, 20, np.float32),
        "explained": np.full(400, 0.8, np.float32), "index": np.arange(400),
        "landmarks": flat.reshape(400, 49, 2).astype(np.float32), "groups": groups, "sources": groups,
    })  # fmt: skip
    return run


def test_held_out_error_is_far_below_the_mean_face_and_is_what_it_says(learnable):
    result = train_lgen(TrainLgenConfig(run=learnable.path, data="inverted", steps=800, hidden=(32,)))
    metrics = result.metrics
    assert metrics["held_out"]["nme"] < 0.5 * metrics["mean_face_nme"]
    assert metrics["faces"] == {"training": 320, "validation": 40, "held_out": 40} and metrics["groups"] == 200
    # The saved network on the held-out faces gives the error that was reported.
    latents = load_latents(learnable)
    held_out = split_by_group(latents.groups, 0.1, 0)[2]
    predicted = in_pixels(np.asarray(learnable.lgen()(latents.z[held_out])), 32, 32)
    errors = nme(predicted, in_pixels(latents.landmarks[held_out], 32, 32), IBUG49)
    assert errors.mean() == pytest.approx(metrics["held_out"]["nme"], rel=1e-4)
    assert json.loads(learnable.lgen_metrics_file.read_text()) == metrics


def test_the_same_seed_gives_the_same_weights_and_all_refits(learnable):
    options = {"run": learnable.path, "data": "inverted", "steps": 20, "hidden": (8,)}
    train_lgen(TrainLgenConfig(**options))
    first = learnable.lgen().get_weights()
    honest = train_lgen(TrainLgenConfig(**options)).metrics
    for a, b in zip(first, learnable.lgen().get_weights(), strict=True):
        assert (a == b).all()
    refit = train_lgen(TrainLgenConfig(**options, all=True)).metrics
    assert refit["held_out"] == honest["held_out"] and refit["refit_on_all"]
    assert not (first[0] == learnable.lgen().get_weights()[0]).all()


def test_what_latents_ask_for_is_measured_on_the_faces_that_l_gen_is(learnable, lmedge_here):
    latents = load_latents(learnable)
    mean = latents.landmarks.mean(axis=0).ravel()
    axes = np.linalg.lstsq(latents.z, latents.landmarks.reshape(400, -1) - mean, rcond=None)[0]
    space = ShapeSpace(tuple(mean.tolist()), tuple(map(tuple, axes.tolist())))
    learnable.record("train-gan", {}, latent=LatentSpec((Block("shape", 8, shapes=space),)).to_json())
    said = lmedge_here("train-lgen", learnable.path, "--data", "inverted", "--steps", 20, "--hidden", 8).stdout
    held_out = split_by_group(latents.groups, 0.1, 0)[2]
    asked = in_pixels((mean + latents.z[held_out] @ axes).reshape(-1, 49, 2), 32, 32)
    wanted = nme(asked, in_pixels(latents.landmarks[held_out], 32, 32), IBUG49).mean()
    metrics = learnable.lgen_metrics()
    assert metrics["asked_nme"] == pytest.approx(wanted, rel=1e-3) and wanted < 0.5 * metrics["mean_face_nme"]
    assert f"on 40 inverted faces; the mean face has {metrics['mean_face_nme']:.2%}, what was asked" in said
    assert said.splitlines()[0].endswith(f"{wanted:.2%}")
    ranks = metrics["point_confidence"]
    assert f"by confidence: {ranks['error_surest']:.2%} of the surest quarter of points" in said.splitlines()[1]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"steps": 0}, "--steps"),
        ({"held_out": 0.9}, "--held-out"),
        ({"hidden": (0,)}, "--hidden"),
        ({"dropout": 2.0}, "--dropout"),
    ],
)
def test_wrong_options_are_refused(trained, options, reason):
    with pytest.raises(UsageError, match=reason):
        train_lgen(TrainLgenConfig(run=trained, **options))


class TwoFaces:
    """A generator that shows one drawn face or another, as the first component of the latent says."""

    input_shape, output_shape = (None, 8), (None, 32, 32, 3)

    def __init__(self):
        self.faces = np.stack([drawn_photo(look, 32) for look in FOUND_LOOKS[:2]])

    def __call__(self, z, training=False):
        return self.faces[(np.asarray(z)[:, 0] > 0).astype(int)] / np.float32(127.5) - 1


def test_generated_faces_teach_what_face_mesh_sees_on_them(learnable, monkeypatch):
    album = TwoFaces()
    latents = load_latents(learnable)
    monkeypatch.setattr("lmedge.lgen.train.load_latents", lambda run: latents)
    monkeypatch.setattr("lmedge.lgen.generated.weights_hash", lambda network: "album")
    monkeypatch.setattr(Run, "generator", lambda run: album)
    config = TrainLgenConfig(run=learnable.path, data="generated", generated=300, steps=600, hidden=(16,), dropout=0)
    elsewhere = Elsewhere()
    metrics = train_lgen(config, elsewhere).metrics
    own = metrics["generated"]
    assert elsewhere.done == 300
    assert own["held_out"]["faces"] == 30 and metrics["faces"]["training"] == 240
    assert own["held_out"]["nme"] < 0.7 * own["mean_face_nme"]
    # the points are those that Face Mesh finds, in the normalised form
    lgen = learnable.lgen()
    with FaceMesh() as mesh:
        for sign, face in zip((-0.9, 0.9), album.faces, strict=True):
            z = np.zeros((1, 8), np.float32)
            z[0, 0] = sign
            wanted = mesh.of_face(face, IBUG49)
            assert in_pixels(np.asarray(lgen(z)), 32, 32)[0] == pytest.approx(wanted, abs=1.2)
    assert learnable.lgen_provenance == FaceMesh().provenance({}, "CC0-1.0")
    # Photos with landmarks of the same annotator are joined with them; those of toys are exact ones.
    config = TrainLgenConfig(run=learnable.path, data="both", generated=300, steps=20, hidden=(16,))
    latents = dataclasses.replace(latents, provenance=FaceMesh().provenance({}))
    with pytest.raises(UsageError, match=r"latents has landmarks of mediapipe .* began with those of drawn 1; name"):
        train_lgen(config)
    monkeypatch.setattr(Run, "provenance", latents.provenance)
    both = train_lgen(config).metrics
    assert "fitted" not in both and learnable.lgen_provenance == latents.provenance
    assert both["faces"] == {"training": 240 + 320, "validation": 30 + 40, "held_out": 40}


def test_a_generator_without_faces_cannot_teach(trained, tmp_path):
    run = shutil.copytree(trained, tmp_path / "run")
    with pytest.raises(LmedgeError, match=r"Face Mesh finds a face on 0 of 40 generated ones; train"):
        train_lgen(TrainLgenConfig(run=run, data="generated", generated=40))


def test_nothing_is_learnt_from_faces_that_the_generator_cannot_draw(learnable, monkeypatch):
    latents = load_latents(learnable)
    explained = np.where(np.arange(400) % 4 == 0, 0.3, 0.8).astype(np.float32)
    part = sets_of(learnable, dataclasses.replace(latents, explained=explained), 0.1, 0, 0)[0]["inverted"]
    whole = sets_of(learnable, latents, 0.1, 0, 0)[0]["inverted"]
    assert set(part.training) == {i for i in whole.training if i % 4} and (part.held_out == whole.held_out).all()
    said = []
    monkeypatch.setattr("lmedge.lgen.train.console.print", said.append)
    none = sets_of(learnable, dataclasses.replace(latents, explained=0 * explained), 0.1, 0, 0)[0]["inverted"]
    assert (none.training == whole.training).all() and "can draw 0 of the 320 faces" in said[0]


def test_the_run_gets_the_confidence_of_its_l_gen(learnable):
    metrics = train_lgen(TrainLgenConfig(run=learnable.path, data="inverted", steps=60, hidden=(8,))).metrics
    sure = np.asarray(learnable.confidence()(load_latents(learnable).z))
    assert sure.shape == (400, 1) and 0 <= sure.min() < sure.max() <= 1
    of_points = np.asarray(learnable.point_confidence()(load_latents(learnable).z))
    assert of_points.shape == (400, 49) and 0 <= of_points.min() < of_points.max() <= 1
    ranks = metrics["point_confidence"]
    assert ranks["error"] == pytest.approx(metrics["held_out"]["nme"], rel=1e-4)
    assert ranks["error_surest"] < ranks["error_least_sure"]
    figures = metrics["confidence"]
    assert figures["nme"] == pytest.approx(metrics["held_out"]["nme"]) and figures["nme_kept_at_best"] < figures["nme"]
    assert metrics["explained"] <= 1 and "asked_nme" not in metrics and metrics["linear_nme"] < metrics["mean_face_nme"]
