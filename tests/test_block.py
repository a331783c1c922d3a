"""Blocks of latents that are mixtures, and the landmarks that they ask for."""

import json

import numpy as np
import pytest

from lmedge.attribute_names import asked_values
from lmedge.block import Block
from lmedge.errors import LmedgeError, UsageError
from lmedge.latent import TOLERANCE, LatentSpec
from lmedge.mixture import Mixture
from lmedge.shapes import ShapeSpace, fit_shapes

TWO = Mixture((0.25, 0.75), ((0.5, -0.3), (-0.1, 0.2)), ((0.1, 0.05, 0.2), (0.2, -0.1, 0.1)))
SPACE = ShapeSpace((0.2, 0.3, 0.8, 0.3), ((0.1, 0.0, -0.1, 0.0), (0.0, 0.2, 0.0, 0.2)))
BLOCK = Block("shape", 2, "mixture", mixture=TWO, shapes=SPACE)
SPEC = LatentSpec((Block("person", 3), BLOCK))


def test_draws_have_the_mean_and_the_covariance_of_the_mixture():
    drawn = TWO.quantile(np.random.default_rng(0).random((200_000, 2)))
    means, weights = np.array(TWO.means), np.array(TWO.weights)
    factors = [np.array([[a, 0], [b, c]]) for a, b, c in TWO.factors]
    mean = weights @ means
    spread = sum(w * (f @ f.T + np.outer(m, m)) for w, f, m in zip(weights, factors, means, strict=True))
    assert drawn.mean(axis=0) == pytest.approx(mean, abs=3e-3)
    assert np.cov(drawn.T) == pytest.approx(spread - np.outer(mean, mean), abs=2e-3)
    assert TWO.deviations == pytest.approx(np.sqrt(np.mean(np.square(drawn), axis=0)), rel=5e-3)


def test_the_first_number_chooses_the_part_and_is_the_first_normal_number_of_it():
    drawn = TWO.quantile(np.array([[0.125, 0.5], [0.25 + 0.375, 0.5], [0.2499999999, 0.5]]))
    assert drawn[:2] == pytest.approx(np.array(TWO.means), abs=1e-9)  # medians of the parts
    assert drawn[2, 0] > 0.5 + 3 * 0.1


def test_a_block_of_a_mixture_is_the_same_after_json_and_stays_inside_of_its_bounds():
    again = LatentSpec.from_json(json.loads(json.dumps(SPEC.to_json())), "there")
    assert again == SPEC and (again.draw(50, 4) == SPEC.draw(50, 4)).all()
    assert again.shape == BLOCK and LatentSpec.uniform(3).shape is None
    narrow = Block("shape", 2, "mixture", -0.2, 0.2, mixture=TWO)
    drawn = LatentSpec((narrow,)).draw(400)
    assert np.abs(drawn).max() == np.float32(0.2) and (np.abs(drawn) < 0.2).mean() > 0.3
    assert str(SPEC) == ("5 numbers: person 3 uniform in -1..1, shape 2 mixture in -1..1, asks for 2 landmarks")


NAMES = ("Smiling", "Male")
JOINT = LatentSpec((
    Block("person", 3),
    Block("shape", 1, "mixture", mixture=Mixture(
        (0.4, 0.6),
        ((0.3, 0.8, -0.7), (-0.2, -0.6, 0.1)),
        ((0.2, 0.1, 0.3, 0.05, -0.1, 0.25), (0.3, -0.2, 0.4, 0.1, 0.2, 0.3)),
    )),
    Block("attributes", 2, "joint", attributes=NAMES),
))  # fmt: skip


def test_a_joint_block_has_the_further_numbers_of_the_mixture_before_it():
    """As one block of all its numbers draws them."""
    mixture = JOINT.blocks[1].mixture
    whole = LatentSpec((Block("person", 3), Block("shape", 3, "mixture", mixture=mixture)))
    assert (JOINT.draw(50, 5) == whole.draw(50, 5)).all() and JOINT.attributes == NAMES
    drawn = JOINT.draw(20_000)[:, 3:]
    found = np.sqrt(np.mean(mixture.quantile(np.random.default_rng(0).random((90_000, 3))) ** 2, axis=0))
    assert found == pytest.approx(mixture.deviations, rel=0.02)
    assert JOINT.unit[3] == pytest.approx(mixture.deviations[0])
    assert JOINT.unit[4:] == pytest.approx(np.sqrt(np.mean(mixture.deviations[1:] ** 2)))
    assert np.abs(drawn).max() == 1 and JOINT.by_block(0.5) == {"person": 0.5, "shape": 0.5}
    assert LatentSpec.from_json(json.loads(json.dumps(JOINT.to_json())), "there") == JOINT


def test_what_goes_with_an_attribute_is_drawn_with_it():
    """Of many draws those that have about the value say what the others are like; the person stays."""
    mixture = JOINT.blocks[1].mixture
    fixed = JOINT.fixing({"Male": 0.2}, "a model", "--set")
    drawn, all_drawn = fixed.draw(20_000), mixture.quantile(np.random.default_rng(0).random((2_000_000, 3)))
    weight = np.exp(-(((all_drawn[:, 2] - 0.2) / TOLERANCE) ** 2) / 2)
    like = np.clip(all_drawn, -1, 1)
    mean = np.average(like[:, :2], axis=0, weights=weight)
    assert drawn[:, 3:5].mean(axis=0) == pytest.approx(mean, abs=0.01)
    apart = np.sqrt(np.average((like[:, :2] - mean) ** 2, axis=0, weights=weight))
    assert drawn[:, 3:5].std(axis=0) == pytest.approx(apart, rel=0.03)
    assert (drawn[:, 5] == np.float32(0.2)).all() and (drawn[:, :3] == JOINT.draw(20_000)[:, :3]).all()
    assert fixed.to_json() == JOINT.to_json()
    both = JOINT.fixing({"Male": -1, "Smiling": 1}, "a model", "--set").draw(9)
    assert both[:, 4:].tolist() == [[1, -1]] * 9
    assert (JOINT.setting(both, {"Male": 0.5}) - both).tolist() == [[0, 0, 0, 0, 0, 1.5]] * 9


def test_attributes_alone_are_fixed_too():
    spec = LatentSpec((Block("attributes", 2, "uniform", attributes=NAMES),))
    drawn = spec.fixing({"Male": 1}, "a model", "--set").draw(50)
    assert (drawn[:, 1] == 1).all() and (drawn[:, 0] == spec.draw(50)[:, 0]).all()
    assert (spec.fixing({"Male": 1, "Smiling": 0}, "a model", "--set").draw(3) == [[0, 1]] * 3).all()


def test_what_cannot_be_asked_for_is_refused():
    with pytest.raises(UsageError, match="--set Hat: faces of m cannot be asked for that; take one of Smiling, Male"):
        JOINT.fixing({"Hat": 1}, "m", "--set")
    with pytest.raises(UsageError, match="--set: faces of m cannot be asked for by attributes"):
        SPEC.fixing({"Male": 1}, "m", "--set")
    for wrong in ("Male", "Male=2", "Male=x", "=1", "Male=nan"):
        with pytest.raises(UsageError, match="say NAME=VALUE, from -1"):
            asked_values([wrong], "--set")
    with pytest.raises(UsageError, match="--set says nothing"):
        asked_values((), "--set")
    assert asked_values(None, "--set") == {}
    with pytest.raises(UsageError, match="--set says Male twice"):
        asked_values(["Male=1", "Male=0"], "--set")
    assert asked_values(["Male=-1", "Big Nose=0.5"], "--set") == {"Male": -1, "Big Nose": 0.5}


def other(name, at=2, **changes):
    blocks = JOINT.to_json()["blocks"]
    return {"size": 6, "blocks": [{**block, **(changes if i == at else {})} for i, block in enumerate(blocks)]}


@pytest.mark.parametrize("form", [
    other("no mixture before", 1, distribution="uniform", mixture=None),
    other("first", 0, distribution="joint"),
    other("more names", attributes=["a", "b", "c"]),
    other("twice", attributes=["a", "a"]),
    other("text", attributes="ab"),
    other("no names", attributes=[1, 2]),
    other("wide", high=2.0),
    other("alone", 2, distribution="normal"),
])  # fmt: skip
def test_hostile_joint_blocks_are_refused_in_a_sentence(form):
    with pytest.raises(LmedgeError, match=r"^there.*\.$") as refused:
        LatentSpec.from_json(form, "there")
    assert type(refused.value) is LmedgeError and len(str(refused.value)) < 700


HOSTILE = [
    ("distribution", "normal"), ("mixture", None), ("mixture", {}), ("mixture", []), ("shapes", 3), ("shapes", {}),
    ("weights", []), ("weights", [0.5, 0.6]), ("weights", [1.5, -0.5]), ("weights", ["a", "b"]), ("weights", [True, 0]),
    ("means", [[0.5, 0.3]]), ("means", [[0.5], [0.3]]), ("means", [0.5, 0.3]), ("means", [[float("nan"), 0], [0, 0]]),
    ("factors", [[1, 2, 3, 4]] * 2), ("factors", [[10**400, 0, 1]] * 2), ("factors", [[1e9, 0, 1]] * 2),
    ("mean", [0.1, 0.2]), ("mean", "abcd"), ("axes", []), ("axes", [[0.1] * 4]), ("axes", [[0.0] * 4] * 2),
    ("axes", [[float("inf")] * 4] * 2), ("axes", 3), ("axes", ["1111", "2222"]), ("axes", [[0.1, 0, 0, 0]] * 2),
    ("mean", [True] * 4),
]  # fmt: skip


def without(name, value):
    """A block's form with another value for a part of it."""
    form = BLOCK.to_json()
    place = form if name in form else form["mixture"] if name in form["mixture"] else form["shapes"]
    return {**form, name: value} if place is form else {
        **form, **{part: {**form[part], name: value} for part in ("mixture", "shapes") if name in form[part]}
    }  # fmt: skip


@pytest.mark.parametrize(("name", "value"), HOSTILE)
def test_hostile_mixtures_and_shapes_are_refused_in_a_sentence(name, value):
    form = {"size": 2, "blocks": [without(name, value)]}
    with pytest.raises(LmedgeError, match=r"^there.*\.$") as refused:
        LatentSpec.from_json(form, "there")
    assert type(refused.value) is LmedgeError and len(str(refused.value)) < 700


def test_a_shape_is_found_and_given_back():
    z = np.random.default_rng(0).uniform(-1, 1, (20, 2)).astype(np.float32)
    assert SPACE.latents(SPACE.landmarks(z)) == pytest.approx(z, abs=1e-6)
    nose = SPACE.landmarks(np.array([0.5, -1.0], np.float32))
    assert nose == pytest.approx(np.array([[0.25, 0.1], [0.75, 0.1]]), abs=1e-6)


def test_the_axes_are_the_principal_components():
    random = np.random.default_rng(0)
    points = random.normal(0, 1, (500, 3)) @ random.normal(0, 0.05, (3, 10)) + random.random(10)
    shapes = fit_shapes(points.reshape(500, 5, 2).astype(np.float32), 3)
    _, values, vectors = np.linalg.svd(points - points.mean(axis=0), full_matrices=False)
    for axis, value, vector in zip(shapes.axes, values, vectors, strict=False):
        assert np.linalg.norm(axis) == pytest.approx(4 * value / np.sqrt(500), rel=1e-3)  # four deviations
        assert abs(np.dot(axis, vector)) / np.linalg.norm(axis) == pytest.approx(1, abs=1e-3)
    assert len(fit_shapes(points.reshape(500, 5, 2).astype(np.float32), 12).axes) == 3  # no more ways to differ


def test_landmarks_that_are_all_the_same_have_no_axes():
    with pytest.raises(UsageError, match="the same.*take --shape 0"):
        fit_shapes(np.tile(np.random.default_rng(0).random((1, 5, 2)).astype(np.float32), (9, 1, 1)), 4)


def test_latents_ask_for_the_landmarks_of_their_block():
    z = SPEC.draw(20, 2)
    assert (SPEC.asked(z) == SPACE.landmarks(z[:, 3:])).all() and SPEC.asked(z[0]).shape == (2, 2)
    assert LatentSpec.uniform(3).asked(z[:, :3]) is None


def test_the_latent_for_landmarks_asks_for_them_or_for_the_nearest_that_it_can():
    z = SPEC.draw(20, 2)
    wanted = SPACE.landmarks(np.random.default_rng(0).uniform(-1, 1, (20, 2)).astype(np.float32))
    asking = SPEC.asking(z, wanted)
    assert SPEC.asked(asking) == pytest.approx(wanted, abs=1e-6) and (asking[:, :3] == z[:, :3]).all()
    beyond = SPEC.asking(z[0], SPACE.landmarks(np.array([3.0, -0.5], np.float32)))
    assert beyond[3:] == pytest.approx([1.0, -0.5])
    assert (LatentSpec.uniform(3).asking(z[:, :3], wanted) == z[:, :3]).all()


def test_a_mixture_that_draws_one_number_only_is_refused():
    with pytest.raises(UsageError, match="the same numbers again and again"):
        Mixture((1.0,), ((0.0, 0.0),), ((0.0, 0.0, 0.0),)).check()
