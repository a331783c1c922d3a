"""What is learnt from few labelled faces, against a model whose points are known exactly."""

import numpy as np
import pytest
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, DotProduct, WhiteKernel

from lmedge.labels.choosing import pool_of, varied
from lmedge.labels.fit import Examples, Fit, curve, more_labels
from lmedge.labels.frame import Frame
from lmedge.labels.ridge import OFFSET, Ridge, least_sure
from lmedge.scheme import Scheme
from tests.labels.conftest import EYES


@pytest.fixture(scope="module")
def frame(model):
    return Frame.of(model)


def examples(model, z, noise=0.0, seed=0):
    """Faces as a person labels them who is off by `noise` pixels."""
    points = model.truth(z).astype(float)
    points += np.random.default_rng(seed).normal(0, noise / np.sqrt(2) + 1e-12, points.shape)
    return Examples(model.landmarks(z), points, np.ones((len(z), 3), bool), EYES)


def chosen(model, frame, count):
    pool = pool_of(model, frame, 1)
    return pool.z[varied(pool, count, pool.shapes[:0])]


@pytest.fixture(scope="module")
def others(model):
    return examples(model, model.latent.draw(300, 9))


def test_the_regression_is_the_gaussian_process_of_a_linear_kernel():
    random = np.random.default_rng(0)
    x = random.normal(size=(9, 3))
    y = x @ random.normal(size=(3, 2)) + random.normal(0, 0.3, (9, 2)) + 5
    new, ridge = random.normal(size=(4, 3)), Ridge(x, y)
    assert ridge.strength > 0
    kernel = ConstantKernel(OFFSET) + ConstantKernel(ridge.strength) * DotProduct(1e-6) + WhiteKernel(1.0)

    def process(x, y):
        return GaussianProcessRegressor(kernel, optimizer=None, alpha=1e-10).fit(x, y)

    mean, deviation = process(x, y).predict(new, return_std=True)
    ours = ridge(new)
    assert ours[0] == pytest.approx(mean, rel=1e-5)
    assert ours[1] / np.sqrt(ridge.scale) == pytest.approx(deviation, rel=1e-4)
    left_out = ridge.left_out()
    for i in range(9):
        rest = np.arange(9) != i
        mean, deviation = process(x[rest], y[rest]).predict(x[i : i + 1], return_std=True)
        assert left_out[0][i] == pytest.approx(mean[0], rel=1e-5)
        assert (left_out[1][i] / np.sqrt(ridge.scale)) == pytest.approx(deviation[0], rel=1e-4)

    def likelihood(strength):
        kernel = ConstantKernel(OFFSET) + ConstantKernel(strength) * DotProduct(1e-6) + WhiteKernel(1.0)
        # Each output at the scale under which it is likeliest, as ours.
        found = 0.0
        for column in y.T:
            inverse = np.linalg.inv(kernel(x))
            scale = column @ inverse @ column / len(column)
            scaled = column / np.sqrt(scale)
            fitted = GaussianProcessRegressor(kernel, optimizer=None, alpha=0.0).fit(x, scaled)
            found += fitted.log_marginal_likelihood_value_ - len(column) / 2 * np.log(scale)
        return found

    steps = (0.3, 1.0, 3.0, 10.0)
    ours = np.array([ridge._evidence(step) for step in steps])
    theirs = np.array([likelihood(step) for step in steps])
    assert ours - ours[0] == pytest.approx(theirs - theirs[0], abs=1e-4)


def test_who_is_least_sure_is_asked_next():
    inputs = np.array([[0.0, 0.0], [1.0, 0.0]])
    pool = np.array([[0.5, 0.0], [0.0, 4.0], [0.0, 4.1], [-3.0, 0.0]])
    assert least_sure(inputs, pool, 1.0, 3).tolist() == [2, 3, 1]  # those two look the same way


def test_points_that_follow_from_the_known_ones_are_found_from_few_faces(model, frame, others):
    """The pupils are means of known points; the mean face in its place is ten times as far off."""
    z = chosen(model, frame, 12)
    fit = Fit(examples(model, z), frame, model.scheme)
    off = others.errors(fit(others.known).points).mean(axis=0)
    places = frame.inside(others.points, others.known).mean(axis=0)
    mean_face = others.errors(frame.outside(np.broadcast_to(places, (300, 3)), others.known)).mean(axis=0)
    assert (off[:2] < 0.1 * mean_face[:2]).all() and off[2] < 0.7 * mean_face[2]


def test_the_error_of_faces_left_out_is_that_of_others(model, frame, others):
    some = examples(model, chosen(model, frame, 20), noise=0.7)
    fit = Fit(some, frame, model.scheme)
    left_out = some.errors(fit.left_out.points)
    guess = fit(others.known)
    true_error = np.sqrt((others.errors(guess.points) ** 2).mean(axis=0))
    # A label of the examples is off itself, by 0.7 pixels of 12 between the eyes.
    hand = 0.7 / np.linalg.norm(some.points[:, 0] - some.points[:, 1], axis=-1).mean()
    assert np.sqrt((left_out**2).mean(axis=0)) == pytest.approx(np.hypot(true_error, hand), rel=0.4)
    one = Fit(some[np.arange(1, 20)], frame, model.scheme)(some.known[:1]).points[0]
    assert fit.left_out.points[0] == pytest.approx(one, abs=0.35)  # but for the mean place and the strength
    off = np.linalg.norm(guess.points - others.points, axis=-1)
    assert (off < 3 * guess.deviation).mean() > 0.95 and guess.deviation.mean() < 4


def test_a_face_of_which_a_part_is_labelled_teaches_that_part(model, frame, others):
    some = examples(model, chosen(model, frame, 8))
    points = np.where(np.arange(3)[:, None] == 2, np.nan, some.points)
    part = Examples(some.known, points, some.placed & (np.arange(3) < 2), EYES)
    fit = Fit(part, frame, model.scheme)
    guess = fit(others.known)
    assert fit.learnt.tolist() == [0, 1] and np.isnan(guess.points[:, 2]).all()
    whole = Fit(some, frame, model.scheme)(others.known)
    assert guess.points[:, :2] == pytest.approx(whole.points[:, :2])
    few = part[np.arange(2)]
    assert np.isnan(Fit(few, frame, model.scheme)(others.known).points).all()


def test_known_points_begin_where_they_are_and_labels_move_them(model, frame, others):
    """Who means another place by a known name than the model does, is followed."""
    scheme = Scheme("some", ("tip", "a", "b"), (0, 1, 2), (), (1, 2), ("ibug68/30", "ibug68/36", "ibug68/45"))
    at = [model.scheme.index(point) for point in scheme.points]
    known = others.known
    nobody = Fit(Examples(known[:0], np.zeros((0, 3, 2)), np.zeros((0, 3), bool), scheme), frame, model.scheme)
    guess = nobody(known)
    assert guess.points == pytest.approx(known[:, at], abs=1e-3) and np.isnan(guess.deviation).all()
    lower = known[:5][:, at] + np.array([0, 1.5])
    some = Fit(Examples(known[:5], lower, np.ones((5, 3), bool), scheme), frame, model.scheme)
    assert some(known).points == pytest.approx(known[:, at] + np.array([0, 1.5]), abs=0.4)


def test_a_sentence_says_what_more_labels_would_bring(model, frame):
    few = curve(examples(model, chosen(model, frame, 12), noise=0.5), frame, model.scheme)
    assert [count for count, _ in few] == [6, 9, 11] and few[0][1] > few[-1][1] > 0
    five = curve(examples(model, chosen(model, frame, 5), noise=0.5), frame, model.scheme)
    assert [faces for faces, _ in five] == [4]  # three quarters of five are all but one
    sentence = more_labels([(10, 0.04), (20, 0.02)])
    assert sentence.startswith("error on faces left out: 4.00% with 10, 2.00% with 20 labelled faces; ")
    assert sentence.endswith("; if it goes on so, 40 have 1.00%")
    assert more_labels([(10, 0.02), (20, 0.02)]).endswith("; more would hardly help")
    assert more_labels([(4, 0.02)]).endswith("; these are too few to say what more would bring")
