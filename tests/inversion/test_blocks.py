"""Inversion of latents that are more than one uniform block."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.optimize import lsq_linear

from lmedge.block import Block
from lmedge.inversion.adam import make_adam
from lmedge.inversion.encoder import build_encoder
from lmedge.inversion.gauss_newton import make_gauss_newton
from lmedge.inversion.inverter import Inverter
from lmedge.inversion.search import Search
from lmedge.latent import LatentSpec
from tests.at_its_word import LATENT, PERSON, SPACE
from tests.inversion import curved_generator, linear_generator

ONES = np.ones((8, 8), np.float32)
BLOCKS = LatentSpec((
    Block("shape", 2, "uniform", 0.5, 2.5),
    Block("held", 2, "normal", -2.0, 2.0, searched=False),
    Block("style", 2, "normal", -0.3, 1.5),
))  # fmt: skip
HELD = ~BLOCKS.searched
SEARCH = Search(start="centre", steps=8, rounds=3, background=1.0, batch=8)


def test_gauss_newton_searches_what_may_be_searched_within_its_own_bounds():
    generator = linear_generator()
    basis = generator.get_weights()[0].T.astype(float)
    faces = np.asarray(generator(3 * BLOCKS.draw(8, 1)))
    start = np.where(HELD, BLOCKS.draw(8, 2), BLOCKS.middle)
    found = np.asarray(make_gauss_newton(generator, BLOCKS, ONES, 30, 0.1)(faces, start)[0])
    assert (found[:, HELD] == start[:, HELD]).all()
    free, bounds = BLOCKS.searched, (BLOCKS.low[BLOCKS.searched], BLOCKS.high[BLOCKS.searched])
    for face, given, z in zip(faces, start, found, strict=True):
        left = face.ravel() - basis[:, HELD] @ given[HELD]
        assert z[free] == pytest.approx(lsq_linear(basis[:, free], left, bounds).x, abs=5e-3)


@pytest.mark.parametrize("redraw", [True, False])
def test_adam_redraws_or_clips_at_the_bounds_of_each_block(redraw):
    generator = linear_generator()
    faces = np.asarray(generator(6 * BLOCKS.high[None] * np.ones((32, 1), np.float32)))
    start = BLOCKS.draw(32, 2)
    found = np.asarray(make_adam(generator, BLOCKS, ONES, 1, 5.0, "l2", redraw)(faces, start, tf.constant([0, 0]))[0])
    assert (found[:, HELD] == start[:, HELD]).all()
    assert (found >= BLOCKS.low).all() and (found <= BLOCKS.high).all()
    at_bound = np.isclose(found, BLOCKS.high)[:, BLOCKS.searched].mean()
    assert at_bound == 1 if not redraw else at_bound < 0.3


def test_blocks_that_are_held_keep_what_they_are_given_or_their_middle():
    generator, z = curved_generator(), BLOCKS.draw(8, 4)
    inverter = Inverter(generator, BLOCKS, SEARCH, ONES)
    faces = np.asarray(generator(z))
    assert inverter(faces, held=z) == pytest.approx(z, abs=1e-3)
    assert (inverter(faces)[:, HELD] == 0).all()
    random = Inverter(generator, BLOCKS, dataclasses.replace(SEARCH, start="random"), ONES)._start(faces, 0)
    assert (random >= BLOCKS.low).all() and (random <= BLOCKS.high).all() and random.std(axis=0).min() > 0.1
    beyond = dataclasses.replace(SEARCH, start="encoder")
    assert (
        Inverter(generator, BLOCKS, beyond, ONES, lambda some: 9 * BLOCKS.high)._start(faces, 0) == BLOCKS.high
    ).all()


@pytest.mark.parametrize("start", ["encoder", "centre", "random"])
def test_the_search_starts_from_the_landmarks_of_the_face(start):
    generator = keras.Sequential(
        [keras.Input((LATENT.size,)), keras.layers.Dense(192), keras.layers.Reshape((8, 8, 3))]
    )
    kernel, bias = generator.get_weights()
    kernel[PERSON:] = 0  # the picture says nothing of the landmarks, so that they stay what they were at the start
    generator.set_weights([kernel, bias])
    z = LATENT.draw(20, 1)
    z[0, PERSON:] *= 10  # further than faces can be asked for
    known = SPACE.landmarks(z[:, PERSON:])
    inverter = Inverter(generator, LATENT, dataclasses.replace(SEARCH, start=start), ONES, lambda some: z[: len(some)])
    faces = np.asarray(generator(z))
    found = inverter(faces, landmarks=known)
    assert found[:, PERSON:] == pytest.approx(np.clip(z[:, PERSON:], -1, 1), abs=1e-4) and (z[0] > 1).any()
    assert np.asarray(generator(found)) == pytest.approx(faces, abs=1e-2)  # the person is found as ever
    begin = inverter._start(faces, 0)
    assert inverter(faces)[:, PERSON:] == pytest.approx(begin[:, PERSON:], abs=1e-6)


def test_an_encoder_s_guess_goes_from_bound_to_bound():
    encoder = build_encoder(16, BLOCKS)
    code = encoder.get_layer("code")
    for sign, bound in ((1, BLOCKS.high), (-1, BLOCKS.low)):
        code.set_weights([0 * code.get_weights()[0], np.full(6, 30.0 * sign, np.float32)])
        assert np.asarray(encoder(np.zeros((1, 16, 16, 3), np.float32)))[0] == pytest.approx(bound)
