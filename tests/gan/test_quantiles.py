import numpy as np
import pytest
import tensorflow as tf

from lmedge.block import Block
from lmedge.gan.quantiles import latents_of
from lmedge.latent import LatentSpec
from lmedge.mixture import Mixture

MIXED = LatentSpec((Block("shape", 5), Block("noise", 3, "normal", -1.5, 2.0), Block("wide", 4, "uniform", 0.1, 10.3)))


def test_latents_in_a_graph_are_those_of_tensorflow_s_own_uniform_and_normal():
    share = tf.random.stateless_uniform((400, 12), (1, 2))
    z = tf.function(latents_of)(MIXED, share).numpy()
    assert (z[:, :5] == tf.random.stateless_uniform((400, 12), (1, 2), -1.0, 1.0).numpy()[:, :5]).all()
    assert z == pytest.approx(MIXED.quantile(share.numpy().astype("float64") + 2.0**-24), abs=3e-6)


def test_a_mixture_in_a_graph_is_the_one_of_numpy():
    random = np.random.default_rng(0)
    weights = random.dirichlet(np.ones(5))
    rows = [tuple(map(tuple, random.normal(0, 0.2, (5, size)))) for size in (3, 6)]
    spec = LatentSpec((Block("shape", 3, "mixture", mixture=Mixture(tuple(weights), *rows)),))
    share = random.integers(1, 1 << 23, (4000, 3)) / (1 << 23)
    z = tf.function(latents_of)(spec, tf.constant(share, tf.float32)).numpy()
    apart = np.abs(z - spec.quantile(share + 2.0**-24)).max(axis=1)
    assert (
        np.quantile(apart, 0.995) < 1e-3
    )  # at the edge of a part float32 may choose its neighbour, or go less far out
