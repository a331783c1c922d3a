import numpy as np
import pytest
from scipy.optimize import lsq_linear

from lmedge.inversion.gauss_newton import make_gauss_newton
from tests.inversion import SPEC, curved_generator, linear_generator, uniform

ONES = np.ones((8, 8), np.float32)


def test_a_linear_generator_is_inverted_in_a_few_steps():
    generator = linear_generator()
    z = uniform(16, 1)
    found, error = make_gauss_newton(generator, SPEC, ONES, 6, 0.1)(generator(z), uniform(16, 2))
    assert np.asarray(found) == pytest.approx(z, abs=1e-3) and np.asarray(error).max() < 1e-6


def test_broyden_s_corrections_follow_a_generator_that_bends():
    generator = curved_generator()
    z = uniform(16, 1)
    start = np.clip(z + 0.3 * uniform(16, 2), -1, 1)
    few, many = (make_gauss_newton(generator, SPEC, ONES, steps, 0.01)(generator(z), start) for steps in (1, 12))
    assert np.abs(np.asarray(many[0]) - z).max() < 1e-3 < np.abs(np.asarray(few[0]) - z).max()
    assert (np.asarray(many[1]) <= np.asarray(few[1])).all()


def test_faces_outside_the_prior_get_the_constrained_optimum_of_scipy():
    generator = linear_generator()
    basis = generator.get_weights()[0].T  # [192, 6]
    # Columns that lean on each other: putting the free optimum on the border would be wrong.
    basis = basis @ (np.eye(6) + 0.6 * np.ones((6, 6)) / 6).astype(np.float32)
    generator.set_weights([basis.T])
    faces = np.asarray(generator(2.0 * uniform(8, 1)))
    found, _ = make_gauss_newton(generator, SPEC, ONES, 40, 0.1)(faces, np.zeros((8, 6), np.float32))
    for face, z in zip(faces, np.asarray(found), strict=True):
        assert z == pytest.approx(lsq_linear(basis.astype(float), face.ravel().astype(float), (-1, 1)).x, abs=5e-3)
    assert np.abs(found).max() <= 1


def test_weights_say_which_pixels_count():
    generator = linear_generator()
    z, other = uniform(4, 1), uniform(4, 2)
    faces = np.asarray(generator(z)).copy()
    faces[:, :, 4:] = np.asarray(generator(other))[:, :, 4:]
    left = np.zeros((8, 8), np.float32)
    left[:, :4] = 2
    found, error = make_gauss_newton(generator, SPEC, left, 20, 0.1)(faces, np.zeros((4, 6), np.float32))
    assert np.asarray(found) == pytest.approx(z, abs=1e-2) and np.asarray(error).max() < 1e-6


def test_a_face_s_latent_does_not_depend_on_its_batch():
    generator = curved_generator()
    images, start = np.asarray(generator(uniform(8, 1))), uniform(8, 2)
    search = make_gauss_newton(generator, SPEC, ONES, 5, 0.1)
    assert search(images[:3], start[:3])[0].numpy() == pytest.approx(search(images, start)[0].numpy()[:3], abs=1e-4)


def test_a_generator_that_ignores_z_leaves_it_where_it_was():
    generator = linear_generator()
    generator.set_weights([np.zeros((6, 192), np.float32)])
    start = uniform(3, 1)
    found, error = make_gauss_newton(generator, SPEC, ONES, 3, 0.1)(np.ones((3, 8, 8, 3), np.float32), start)
    assert (np.asarray(found) == start).all() and np.asarray(error) == pytest.approx(1)
