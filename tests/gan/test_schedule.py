import json

import numpy as np
import pytest

from lmedge.gan.gan import Gan
from lmedge.gan.schedule import Cosine, Plateau
from lmedge.gan.training import Training


class Rated(Gan):
    """Nothing but a learning rate."""

    rate = 1e-3

    def learn(self, batch, draws):
        raise NotImplementedError

    def variables(self):
        return {}


def followed(measures, batch, floor, patience):
    """The rate after each step."""
    training, plateau = Training(Rated(), None, batch), Plateau("measure", floor, patience)
    rates = []
    for training.step, measure in enumerate(measures, 1):
        training.figures = {"measure": measure}
        plateau.after_step(training)
        rates.append(training.rate)
        # what is saved and loaded goes on alike
        state = json.loads(json.dumps(plateau.state()))
        plateau = Plateau("measure", floor, patience)
        plateau.load(state)
    return np.array(rates), plateau


def test_the_rate_halves_when_the_measure_stalls_down_to_the_floor():
    rates, _ = followed([max(0.2, 1 - step / 400) for step in range(1, 1201)], 16, 3e-4, 50)
    assert rates[300] == 1e-3 and set(rates) == {1e-3, 5e-4, 3e-4} and rates[-1] == 3e-4


def falling(kimg):
    """A measure that falls for 8 kimg and then swings about its end."""
    return 0.3 + 0.7 * np.exp(-kimg / 2) + 0.002 * np.sin(kimg)


def by_hand(measures, floor, patience):
    """0.99 of the average is kept at each step of 16 faces."""
    smooth, best, since, rate, rates = measures[0], np.inf, 0, 1e-3, []
    for step, measure in enumerate(measures, 1):
        smooth = 0.99 * smooth + 0.01 * measure
        if smooth < 0.998 * best:
            best, since = smooth, step
        elif step - since >= patience:
            since, rate = step, max(rate / 2, floor) if rate > floor else rate
        rates.append(rate)
    return np.array(rates), smooth


@pytest.mark.parametrize("batch", [16, 64])
def test_the_rate_follows_the_images_seen_whatever_the_batch(batch):
    """Steps of 64 see what four steps of 16 see: the measure is the same for 64 images."""
    every_64 = falling(np.arange(64, 80_000, 64) / 1000)
    wanted, smooth = by_hand(every_64.repeat(4), 1e-4, 250)
    assert len(set(wanted)) == 5
    rates, plateau = followed(every_64.repeat(64 // batch), batch, 1e-4, 250 * 16 // batch)
    assert plateau.smooth == pytest.approx(smooth, rel=1e-12)
    # Larger steps look less often: each halving may come a step later, and the next one counts from there.
    halved, ours = (np.flatnonzero(np.diff(each)) * size for each, size in ((wanted, 16), (rates, batch)))
    assert ours == pytest.approx(halved, abs=0 if batch == 16 else 64 * len(halved))


def test_a_cosine_falls_at_the_end_and_is_where_it_was_after_a_stop():
    cosine = Cosine(1e-3, 1000, 0.6)
    assert [cosine.part(step) for step in (0, 400)] == [1, 1]
    assert cosine.part(700) == pytest.approx(0.525) and cosine.part(1000) == cosine.part(2000) == pytest.approx(0.05)
    training = Training(Rated(), None, 16, step=700)
    cosine.begin(training)
    assert training.rate == pytest.approx(0.525e-3)
    training.step = 850
    cosine.after_step(training)
    assert training.rate == pytest.approx(1e-3 * (0.05 + 0.95 * (1 + np.cos(0.75 * np.pi)) / 2))
    assert [Cosine(1e-3, 1000, 0).part(step) for step in (999, 1000)] == [1, 1]  # it never falls
