import pytest
import tensorflow as tf

from lmedge.gan.quantiles import latents_of
from lmedge.latent import Block, LatentSpec

MIXED = LatentSpec((Block("shape", 5), Block("noise", 3, "normal", -1.5, 2.0), Block("wide", 4, "uniform", 0.1, 10.3)))


def test_latents_in_a_graph_are_those_of_tensorflow_s_own_uniform_and_normal():
    share = tf.random.stateless_uniform((400, 12), (1, 2))
    z = tf.function(latents_of)(MIXED, share).numpy()
    assert (z[:, :5] == tf.random.stateless_uniform((400, 12), (1, 2), -1.0, 1.0).numpy()[:, :5]).all()
    assert z == pytest.approx(MIXED.quantile(share.numpy().astype("float64") + 2.0**-24), abs=3e-6)
