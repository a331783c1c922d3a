from typing import get_args

import numpy as np
import pytest

from lmedge.study.arms import ARMS, BASELINE, HELPED, arms_called, lowered, mean_error
from lmedge.study.options import USUAL, ArmName


def errors(mean, seeds=4, faces=400, number=0, spread=0.02):
    return (mean + np.random.default_rng(number).normal(0, spread, (seeds, faces))).astype(np.float32)


def test_the_interval_is_that_of_the_standard_error():
    found = mean_error(errors(0.06))
    assert found.value == pytest.approx(0.06, abs=0.002)
    # Seeds and faces are drawn by themselves: 1/seeds + 1/faces + 1/(seeds faces) of the variance is an upper bound.
    assert 1.96 * 0.02 / np.sqrt(1600) < found.high - found.value < 1.96 * 0.02 * np.sqrt(3 / 1600)
    assert found.low < found.value < found.high


def test_a_difference_is_paired():
    """Test faces that are hard for both arms do not make their difference less sure."""
    hard = np.random.default_rng(5).uniform(0, 0.2, (1, 400)).astype(np.float32)
    base = errors(0.05, number=1, spread=0.001) + hard
    found = lowered(base * 0.9, base)
    assert found.value == pytest.approx(0.1, abs=1e-3) and found.high - found.low < 0.01
    assert mean_error(base).high - mean_error(base).low > 0.005


def test_no_difference_is_said_to_be_none():
    found = lowered(errors(0.06, number=1), errors(0.06, number=2))
    assert found.low < 0 < found.high


def test_the_arms_that_are_compared_differ_in_generated_faces_only():
    baseline, helped = (next(arm for arm in ARMS if arm.name == name) for name in (BASELINE, HELPED))
    assert (baseline.real, baseline.classical) == (helped.real, helped.classical) == (True, True)
    assert helped.made == "drawn" and not baseline.made


def test_every_arm_can_be_asked_for():
    assert [arm.slug for arm in ARMS if arm.made in (None, "drawn")] == list(USUAL)
    assert [arm.slug for arm in ARMS] == list(get_args(ArmName))
    assert [arm.name for arm in arms_called(("real+smart", "real"))] == ["real", "real + smart"]
