"""Series of figures as the known failures of trainings, and of BEGAN's, leave them."""

import json
import math
import re

import numpy as np
import pytest

from lmedge.gan.families.began.health import BeganHealth
from lmedge.gan.families.relativistic.health import RelativisticHealth

STEP = 0.4  # kimg between lines


def healthy(kimg):
    """A training that goes well: L(x) and M fall and settle, k rises slowly."""
    loss = 0.1 + 0.3 * math.exp(-kimg / 15) + 0.004 * math.sin(kimg * 7)
    return {"loss_real": loss, "measure": 1.2 * loss, "k": min(0.3, kimg / 1000), "norm_d": 0.5, "norm_g": 0.1,
            "learning_rate": 1e-4}  # fmt: skip


def followed(series, until=400.0, health=None):
    """What is found over a whole training, with the kimg of each finding, and the health at the end."""
    health = health or BeganHealth(patience=80, floor=2e-5)
    found = []
    for kimg in np.arange(STEP, until, STEP):
        found += [(kimg, finding) for finding in health.look(kimg, series(kimg))]
        if found and found[-1][1].stop:
            break
    return found, health


def test_a_good_training_is_left_alone():
    found, health = followed(healthy)
    assert found == [] and not health.suspicious


def test_an_explosion_stops_and_is_suspicious_before_it_stops():
    def exploding(kimg):
        return healthy(kimg) | {"loss_real": healthy(kimg)["loss_real"] * (1 + max(0, kimg - 100) / 10)}

    health = BeganHealth(patience=80, floor=2e-5)
    suspicious_since = None
    for kimg in np.arange(STEP, 400, STEP):
        found = health.look(kimg, exploding(kimg))
        if health.suspicious and suspicious_since is None:
            suspicious_since = kimg
        if found:
            break
    assert found[0].stop and "exploded" in found[0].text and "half the --learning-rate" in found[0].text
    assert 100 < suspicious_since < kimg < 125


@pytest.mark.parametrize("name", ["loss_real", "norm_g", "k"])
def test_a_value_that_is_not_finite_stops_at_once(name):
    found = BeganHealth(patience=80, floor=2e-5).look(0.016, healthy(1) | {name: math.nan})
    assert found[0].stop and f"{name} is nan" in found[0].text and "--learning-rate" in found[0].text


@pytest.mark.parametrize(("end", "advice"), [(0.0, "raise --gamma"), (1.0, "lower --learning-rate")])
def test_k_at_an_end_is_said_once_and_only_after_a_while(end, advice):
    found, _ = followed(lambda kimg: healthy(kimg) | {"k": end if kimg > 50 else 0.1})
    assert len(found) == 1
    kimg, finding = found[0]
    assert 73 < kimg < 76 and advice in finding.text and not finding.stop


def test_a_rate_that_falls_early_and_one_that_has_nothing_left_are_said():
    found, _ = followed(lambda kimg: healthy(kimg) | {"learning_rate": 2e-5 if kimg > 60 else 1e-4}, until=500)
    assert [finding.text.split(" ")[0] for _, finding in found] == ["the", "M"]
    assert 60 < found[0][0] < 61 and "--patience" in found[0][1].text
    assert found[1][0] > 240 and not any(finding.stop for _, finding in found)


def test_faces_that_become_alike_are_said_and_then_stop():
    health = BeganHealth(patience=80, floor=2e-5)
    found = []
    for kimg in range(8, 200, 8):
        health.look(kimg, healthy(kimg))
        ratio = 0.8 if kimg < 100 else 0.2
        found += [(kimg, finding) for finding in health.look_at_faces(kimg, ratio)]
        if kimg == 104:
            assert health.suspicious
    assert [(kimg, finding.stop) for kimg, finding in found] == [(104, False), (120, True)]
    assert "collapsed" in found[1][1].text and "--gamma" in found[1][1].text


def test_grey_faces_at_the_start_are_no_collapse():
    health = BeganHealth(patience=80, floor=2e-5)
    assert [health.look_at_faces(kimg, 0.05 * kimg / 8) for kimg in range(8, 160, 8)] == [[]] * 19


def test_a_saved_state_goes_on_alike():
    def series(kimg):
        return healthy(kimg) | {"k": 0.0 if kimg > 50 else 0.1}

    whole, _ = followed(series)
    first, health = followed(series, until=60)
    other = BeganHealth(patience=80, floor=2e-5)
    other.load(json.loads(json.dumps(health.state())))
    second = []
    for kimg in np.arange(STEP, 400, STEP):
        if kimg >= 60:
            second += [(kimg, finding) for finding in other.look(kimg, series(kimg))]
    assert first + second == whole and len(whole) == 1


def relativistic(right, slope=1.0):
    """A training of the other family: `right` and `slope` by kimg."""
    return lambda kimg: {"right": right(kimg), "slope_real": slope, "slope_fake": slope / 2}


def test_a_good_relativistic_training_is_left_alone():
    series = relativistic(lambda kimg: 0.97 * math.exp(-kimg / 900) + 0.03 * math.sin(kimg))
    found, health = followed(series, health=RelativisticHealth())
    assert found == [] and not health.suspicious


@pytest.mark.parametrize(("right", "words"), [(1.0, "in 100% of cases.*higher --gamma"), (0.5, "50 %.*lower --gamma")])
def test_a_discriminator_that_is_always_or_never_right_is_said_once(right, words):
    found, health = followed(relativistic(lambda kimg: 0.8 if kimg < 100 else right), health=RelativisticHealth())
    ((kimg, finding),) = found
    assert 110 < kimg < 140 and not finding.stop and re.search(words, finding.text) and not health.suspicious


def test_a_discriminator_that_is_always_right_is_no_finding_while_a_teacher_teaches():
    series = relativistic(lambda kimg: 1.0)
    assert followed(lambda kimg: series(kimg) | {"from_teacher": 9.0}, health=RelativisticHealth())[0] == []
    assert len(followed(series, health=RelativisticHealth())[0]) == 1


def test_a_penalty_that_runs_off_stops_the_training():
    health = RelativisticHealth()
    found = []
    for kimg in np.arange(STEP, 100, STEP):
        found = health.look(kimg, relativistic(lambda _: 0.8, 1.0 if kimg < 50 else 10 ** (kimg / 10 - 4))(kimg))
        if found:
            break
    assert found[0].stop and "run off" in found[0].text and health.suspicious and 80 < kimg < 100
