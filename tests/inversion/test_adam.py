import numpy as np
import pytest
import tensorflow as tf

from lmedge.inversion.adam import make_adam
from tests.inversion import SPEC, linear_generator, uniform

ONES = np.ones((8, 8), np.float32)
SEED = tf.constant([0, 0])


@pytest.mark.parametrize("redraw", [True, False])
@pytest.mark.parametrize("loss", ["l1", "l2"])
def test_the_latent_of_a_generated_image_is_found(loss, redraw):
    generator = linear_generator()
    z = uniform(16, 1)
    found, error = make_adam(generator, SPEC, ONES, 400, 0.1, loss, redraw)(generator(z), uniform(16, 2), SEED)
    assert np.asarray(found) == pytest.approx(z, abs=0.02)
    difference = np.asarray(generator(found)) - np.asarray(generator(z))
    wanted = np.abs(difference) if loss == "l1" else difference**2
    assert np.asarray(error) == pytest.approx(wanted.mean(axis=(1, 2, 3)), rel=1e-3)


@pytest.mark.parametrize("redraw", [True, False])
def test_latents_stay_inside_the_prior_even_for_faces_outside_it(redraw):
    generator = linear_generator()
    z = 1.6 * np.sign(uniform(16, 1))
    found, _ = make_adam(generator, SPEC, ONES, 60, 0.3, "l2", redraw)(generator(z), uniform(16, 2), SEED)
    assert np.abs(found).max() <= 1
    # On the border is where the best inverse lies: a redraw throws it away, a clip finds it.
    assert (np.abs(np.asarray(found) - np.sign(z)) < 1e-3).all() != redraw


def test_a_face_s_latent_does_not_depend_on_its_batch():
    generator = linear_generator()
    images, start = generator(uniform(8, 1)), uniform(8, 2)
    adam = make_adam(generator, SPEC, ONES, 20, 0.01, "l1", True)
    whole = adam(images, start, SEED)[0].numpy()
    half = adam(images[:4], start[:4], SEED)[0].numpy()
    assert half == pytest.approx(whole[:4], abs=1e-5)


def test_more_steps_never_return_a_worse_latent():
    generator = linear_generator()
    images, start = generator(uniform(8, 1)), uniform(8, 2)
    error = make_adam(generator, SPEC, ONES, 1, 0.1, "l2", True)(images, start, SEED)[1]
    at_start = np.square(np.asarray(generator(start)) - np.asarray(images)).mean(axis=(1, 2, 3))
    assert (np.asarray(error) <= at_start + 1e-7).all()
