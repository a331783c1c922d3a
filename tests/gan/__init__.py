"""A step of a BEGAN that takes no time."""

from pathlib import Path

import keras
import tensorflow as tf

from lmedge.gan.families.began.gan import Began
from lmedge.gan.families.began.options import BeganConfig
from lmedge.gan.step import Step
from lmedge.latent import LatentSpec


def tiny_step(place: tf.distribute.Strategy | None = None, compiled: bool | None = None, swap=(), **options) -> Step:
    """Faces of 16 pixels, width 4, latents of 8."""
    options = {"width": 4, "latent": 8, "gamma": 0.4, "lambda_k": 0.05, "seed": 3, "learning_rate": 1e-3,
               "precision": "float32", **options}  # fmt: skip
    config = BeganConfig(dataset=Path("faces"), run=Path("run"), **options)
    place = place or tf.distribute.get_strategy()
    keras.utils.set_random_seed(config.seed)
    with place.scope():
        gan = Began(config, 16)
    return Step(gan, LatentSpec.uniform(config.latent), config, place, swap, compiled)
