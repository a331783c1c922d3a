import numpy as np
import pytest
from scipy.stats import spearmanr

from lmedge.errors import LmedgeError
from lmedge.latent import LatentSpec, uniform
from lmedge.lgen.faces import Faces, joined
from lmedge.lgen.figures import explained_share, kept_figures, linear, ranked
from lmedge.lgen.network import Fit, build_confidence, distance, fit_confidence, fit_lgen
from lmedge.scheme import IBUG49


def fit(steps=500):
    return Fit(hidden=(32,), steps=steps, batch=128, learning_rate=1e-3, dropout=0.0, seed=0)


def some_faces(count, seed=0, noise=0.0):
    """Landmarks that are a fixed linear map of the latent, and noise."""
    random = np.random.default_rng(7)
    base, weights = random.uniform(0.3, 0.7, (49, 2)), random.normal(0, 0.02, (4, 98))
    base[19], base[28] = (0.25, 0.4), (0.75, 0.4)
    z = uniform(count, 4, seed)
    points = base + (z @ weights).reshape(-1, 49, 2)
    points += np.random.default_rng(seed).normal(0, 1, points.shape) * np.reshape(noise, (-1, 1, 1))
    return Faces(z, points.astype(np.float32), 64, IBUG49)


def ignore(count, note=""):
    pass


def test_the_loss_is_the_mean_distance_of_the_points():
    true, predicted = np.random.default_rng(0).normal(0, 3, (2, 5, 98)).astype(np.float32)
    wanted = np.linalg.norm((true - predicted).reshape(5, 49, 2), axis=-1).mean(axis=-1)
    assert np.asarray(distance(49)(true, predicted)) == pytest.approx(wanted, rel=1e-3)


def test_linear_regression_is_exact_on_a_linear_map_and_a_network_near_it():
    learnt, new = some_faces(400), some_faces(100, 1)
    straight = linear(learnt)(new.z)
    assert straight == pytest.approx(new.landmarks, abs=1e-5)
    assert explained_share(straight, new.landmarks) == pytest.approx(1, abs=1e-4)
    assert explained_share(np.broadcast_to(new.landmarks.mean(axis=0), new.landmarks.shape), new.landmarks) == 0
    assert explained_share(straight[:1], new.landmarks[:1]) == 0  # one face has no variance
    network, step = fit_lgen(fit(steps=1500), learnt, ignore, None, 1500)
    assert step == 1500 and new.errors(network).mean() < 0.01


def test_the_best_step_is_kept_and_progress_adds_up():
    faces = some_faces(200)
    errors, counted = iter([0.3, 0.1, 0.2]), []
    network, step = fit_lgen(
        fit(steps=600), faces, lambda count, note="": counted.append(count), lambda _: next(errors), 600
    )
    assert step == 500 and sum(counted) == 600 and network.get_layer("points").units == 98


def test_weights_decide_between_faces_that_contradict_each_other():
    faces = some_faces(300)
    moved = Faces(faces.z, faces.landmarks + 0.1, 64, IBUG49, np.full(300, 1e-3, np.float32))
    network, _ = fit_lgen(fit(), joined([faces, moved]), ignore, None, 500)
    assert faces.errors(network).mean() < 0.2 * moved.errors(network).mean()


def test_the_confidence_ranks_the_errors_and_is_spread_over_0_to_1():
    z = uniform(2000, 4, 3)
    noise = 0.002 * np.exp(2 * z[:, 0])  # how wrong L-Gen is follows from the latent
    faces = some_faces(2000, 3, noise)
    predicted = some_faces(2000, 3)
    errors = faces.nme(predicted.landmarks)
    network = fit_confidence(fit(steps=1500), LatentSpec.uniform(4), faces, errors, ignore)
    new = uniform(1000, 4, 9)
    sure = np.asarray(network(new))[:, 0]
    assert np.corrcoef(np.argsort(np.argsort(-sure)), np.argsort(np.argsort(new[:, 0])))[0, 1] > 0.95
    assert [np.mean(sure >= level) for level in (0.2, 0.5, 0.8)] == pytest.approx([0.8, 0.5, 0.2], abs=0.12)
    figures = kept_figures(
        network, some_faces(1000, 5, 0.002 * np.exp(2 * uniform(1000, 4, 5)[:, 0])), linear(predicted)
    )
    assert figures["nme_kept"] < 0.8 * figures["nme"] and figures["nme_kept_at_best"] <= figures["nme_kept"]


def test_the_confidence_of_points_is_on_one_scale_for_all_of_them():
    z = uniform(2000, 4, 3)
    hard = np.where(np.arange(49) < 10, 3.0, 1.0)  # some points are off by more, on every face

    def off(z, seed):  # half of the points follow one number of the latent, half another
        scale = np.where(np.arange(49) % 2, np.exp(z[:, :1]), np.exp(-z[:, 1:2])) * hard * 0.01
        return scale, np.random.default_rng(seed).rayleigh(scale).astype(np.float32)

    network = fit_confidence(fit(steps=1500), LatentSpec.uniform(4), some_faces(2000, 3), off(z, 0)[1], ignore)
    new = uniform(1000, 4, 9)
    scale, errors = off(new, 1)
    sure = np.asarray(network(new))
    assert sure.shape == (1000, 49) and spearmanr(-sure, scale, axis=None).statistic > 0.95
    assert [np.mean(sure >= level) for level in (0.2, 0.5, 0.8)] == pytest.approx([0.8, 0.5, 0.2], abs=0.12)
    found = ranked(errors, sure)
    assert found["spearman"] == pytest.approx(spearmanr(-sure, errors, axis=None).statistic, abs=1e-3)
    each = [spearmanr(-sure[:, k], errors[:, k]).statistic for k in range(49)]
    assert found["spearman_within"] == pytest.approx(np.mean(each), abs=1e-3) and min(each) > 0.3
    assert found["error_surest"] < found["error"] / 2 < found["error"] * 1.8 < found["error_least_sure"]
    errors[:, 3] = np.nan  # a point that nobody has placed
    assert ranked(errors, sure)["error"] == pytest.approx(np.nanmean(errors))


def test_the_confidence_is_a_small_dense_network():
    network = build_confidence(4, (3,))
    for weight in network.weights:
        weight.assign(np.random.default_rng(0).normal(size=weight.shape))
    z = uniform(5, 4, 0)
    k1, b1, k2, b2 = network.get_weights()
    hidden = z @ k1 + b1
    hidden = np.where(hidden > 0, hidden, np.expm1(hidden))
    assert np.asarray(network(z)) == pytest.approx(1 / (1 + np.exp(-(hidden @ k2 + b2))), abs=1e-5)


def test_a_loss_that_is_not_finite_is_refused():
    faces = some_faces(50)
    faces.landmarks[3] = np.nan
    with pytest.raises(LmedgeError, match=r"loss of L-Gen is not finite at step 20; lower --learning-rate"):
        fit_lgen(fit(), faces, ignore, None, 20)
