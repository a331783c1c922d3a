import numpy as np
import pytest

from lmedge.attributes.network import build_network, calibrated, calibration, logits_of, weights_of

NAN = np.nan


def logistic(x):
    return 1 / (1 + np.exp(-x))


def test_the_network_for_faces_of_64_pixels_is_small():
    assert 100_000 < build_network(64, 40).count_params() < 200_000


@pytest.mark.parametrize("size", [16, 32, 128])
def test_faces_of_other_sizes_have_networks_too(size):
    answers = build_network(size, 3)(np.zeros((2, size, size, 3), np.float32))
    assert answers.shape == (2, 3)


def test_what_is_unknown_counts_nothing_and_both_answers_the_same_in_sum():
    values = np.array([[1, NAN], [-1, 1], [-1, -1], [-1, NAN]], np.float32)
    weights = weights_of(values)
    assert weights[[0, 3], 1].tolist() == [0, 0] and weights[:, 1].sum() == 2
    assert weights[0, 0] == pytest.approx(weights[1:, 0].sum()) == 2
    rare = np.where(np.arange(1000)[:, None] < 3, 1, -1).astype(np.float32)
    assert weights_of(rare)[0, 0] == 10  # and no more, or single faces would rule


def test_calibration_finds_the_scale_and_the_offset_that_labels_were_drawn_with():
    random = np.random.default_rng(0)
    logits = random.normal(0, 4, (8000, 3)).astype(np.float32)
    true_scale, true_offset = np.array([0.5, 1.5, 1]), np.array([-1, 2, 0])
    values = np.where(random.random((8000, 3)) < logistic(logits * true_scale + true_offset), 1, -1).astype(np.float32)
    values[:4000, 0] = NAN
    values[:, 2] = -1  # of one answer nothing can be told
    scale, offset = calibration(logits, values)
    assert scale == pytest.approx(true_scale, rel=0.1) and offset == pytest.approx(true_offset, abs=0.15)


def test_the_kept_attributes_have_the_probabilities_that_calibration_gives():
    network = build_network(16, 3)
    faces = np.random.default_rng(0).uniform(-1, 1, (4, 16, 16, 3)).astype(np.float32)
    scale, offset = np.array([2, 1, 0.5], np.float32), np.array([0, 1, -1], np.float32)
    wanted = logistic(np.asarray(logits_of(network)(faces)) * scale + offset)[:, [2, 0]]
    small = calibrated(network, scale, offset, np.array([2, 0]))
    assert np.asarray(small(faces)) == pytest.approx(wanted, abs=1e-5)
