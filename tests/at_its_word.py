"""A small model whose latents have a block of shapes, and whose L-Gen takes it at its word: its landmarks are those
that are asked for."""

import keras
import numpy as np

from lmedge.block import Block
from lmedge.faces.cartoon import draw_face
from lmedge.faces.look import random_look
from lmedge.landmarks import normalised
from lmedge.latent import LatentSpec
from lmedge.mixture import Mixture
from lmedge.scheme import IBUG49, IBUG68, converted
from lmedge.shapes import fit_shapes

SIZE, PERSON, SHAPE = 32, 8, 6


def drawn_landmarks(count):
    """Normalised landmarks `[count, 49, 2]` of drawn faces."""
    looks = [random_look(np.random.default_rng((1, i))) for i in range(count)]
    points = np.array([draw_face(look, SIZE)[1] for look in looks], np.float32)
    return normalised(converted(points, IBUG68, IBUG49), SIZE, SIZE)


SPACE = fit_shapes(drawn_landmarks(200), SHAPE)
DEVIATION = [0.25 if row == column else 0.0 for row in range(SHAPE) for column in range(row + 1)]
NORMAL = Mixture((1.0,), ((0.0,) * SHAPE,), (tuple(DEVIATION),))
LATENT = LatentSpec((Block("person", PERSON), Block("shape", SHAPE, "mixture", mixture=NORMAL, shapes=SPACE)))


def networks():
    """Generator and L-Gen."""
    keras.utils.set_random_seed(3)
    z = keras.Input((LATENT.size,))
    image = keras.layers.Reshape((SIZE, SIZE, 3))(keras.layers.Dense(3 * SIZE * SIZE)(z))
    generator = keras.Model(z, keras.layers.Conv2D(3, 3, padding="same")(image))
    dense = keras.layers.Dense(2 * IBUG49.count)
    lgen = keras.Model(z, keras.layers.Reshape((IBUG49.count, 2))(dense(z)))
    axes = np.concatenate([np.zeros((PERSON, 2 * IBUG49.count)), np.array(SPACE.axes)])
    dense.set_weights([axes.astype(np.float32), np.array(SPACE.mean, np.float32)])
    return generator, lgen
