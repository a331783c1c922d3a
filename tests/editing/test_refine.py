"""The search for the person of a photo, where generator and features are linear and everything can be worked out."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from lmedge.block import Block
from lmedge.editing.refine import make_refining
from lmedge.latent import LatentSpec

SIDE, PERSON, FEATURES, PIXELS = 4, 5, 3, 20.0
LATENT = LatentSpec((Block("person", PERSON, "normal", low=-9, high=9), Block("attributes", 1, attributes=("Lit",))))
random = np.random.default_rng(0)
DRAW = random.normal(0, 0.3, (PERSON + 1, SIDE * SIDE * 3)).astype(np.float32)
KNOW = random.normal(0, 0.3, (SIDE * SIDE * 3, FEATURES)).astype(np.float32)
FACES = random.normal(0, 0.5, (2, SIDE, SIDE, 3)).astype(np.float32)
START = np.column_stack([random.normal(0, 1, (2, PERSON)), [0.3, -0.8]]).astype(np.float32)
WEIGHTS = np.linspace(0.5, 1.5, SIDE * SIDE).reshape(SIDE, SIDE).astype(np.float32)


@pytest.fixture(scope="module")
def generator():
    z = keras.Input((LATENT.size,))
    dense = keras.layers.Dense(DRAW.shape[1], use_bias=False)
    network = keras.Model(z, keras.layers.Reshape((SIDE, SIDE, 3))(dense(z)))
    dense.set_weights([DRAW])
    return network


def embed(images):
    return tf.reshape(images, [-1, KNOW.shape[0]]) @ KNOW


def equations():
    """Rows of what is to vanish: residual `[2, D]` at the start, and how it grows with each number of the person."""
    weights = np.sqrt(PIXELS / DRAW.shape[1] * np.repeat(WEIGHTS.ravel(), 3))
    off = START @ DRAW - FACES.reshape(2, -1)
    slopes = DRAW[:PERSON]
    return np.column_stack([off @ KNOW, off * weights]), np.column_stack([slopes @ KNOW, slopes * weights])


def test_the_first_step_goes_against_the_gradient(generator):
    residual, slopes = equations()
    gradient = 2 * residual @ slopes.T
    found = make_refining(generator, embed, LATENT, WEIGHTS, PIXELS, steps=1, rate=1e-3)(FACES, START)
    assert (found - START)[:, :PERSON] == pytest.approx(-1e-3 * np.sign(gradient), rel=1e-2)


def test_the_person_ends_where_the_equations_say_and_what_is_asked_for_stays(generator):
    residual, slopes = equations()
    wanted = START[:, :PERSON] - np.linalg.lstsq(slopes.T, residual.T, rcond=None)[0].T
    found = make_refining(generator, embed, LATENT, WEIGHTS, PIXELS, steps=600, rate=0.05)(FACES, START)
    assert found[:, :PERSON] == pytest.approx(wanted, abs=0.02) and (found[:, PERSON] == START[:, PERSON]).all()
    assert np.abs(wanted - START[:, :PERSON]).max() > 0.5
