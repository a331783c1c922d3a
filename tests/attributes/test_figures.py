import math

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score

from lmedge.attributes.figures import calibration_error, measured


def faces(count, seed=0):
    """Probabilities that are right on the average, and what the faces then have."""
    random = np.random.default_rng(seed)
    probability = random.beta(0.7, 2, count)
    return probability, np.where(random.random(count) < probability, 1, -1).astype(np.float32)


def test_balanced_accuracy_is_scikit_learns_and_unknown_faces_do_not_count():
    probability, value = faces(500)
    value[::7] = np.nan
    found = measured("Smiling", probability, value, 0.3)
    known = ~np.isnan(value)
    assert found.balanced_accuracy == pytest.approx(balanced_accuracy_score(value[known] > 0, probability[known] > 0.3))
    assert (found.yes, found.no) == ((value > 0).sum(), (value < 0).sum())


def test_the_error_is_what_other_faces_would_give():
    drawn = [measured("Smiling", *faces(300, seed), 0.3) for seed in range(200)]
    spread = np.std([each.balanced_accuracy for each in drawn])
    assert np.mean([each.error for each in drawn]) == pytest.approx(spread, rel=0.15)


def test_what_is_likelier_than_usual_is_the_best_answer():
    probability, value = faces(200_000)
    scores = {share: measured("Smiling", probability, value, share).balanced_accuracy for share in (0.15, 0.26, 0.5)}
    assert max(scores, key=scores.get) == 0.26 and (value > 0).mean() == pytest.approx(0.26, abs=0.01)


def test_the_calibration_error_is_the_mean_gap_of_the_bins():
    probability = np.array([0.05, 0.05, 0.05, 0.05, 0.95, 1.0])
    has = np.array([True, False, False, False, True, True])
    # Bins of 1/15: four faces, 0.05 said and 0.25 true; two, 0.975 said and 1 true.
    assert calibration_error(probability, has) == pytest.approx((4 * 0.2 + 2 * 0.025) / 6)
    assert calibration_error(*(lambda p, v: (p, v > 0))(*faces(100_000))) < 0.01


def test_an_attribute_that_no_held_out_face_has_is_not_measured():
    found = measured("Bald", np.array([0.1, 0.2]), np.array([-1, -1], np.float32), 0.1)
    assert math.isnan(found.balanced_accuracy) and (found.yes, found.no) == (0, 2)
