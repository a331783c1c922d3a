"""A family of generators in one file: registered, it is trained, continued and shown like any. What comes after is in
tests/test_all_the_way.py."""

import json
from dataclasses import dataclass

import keras
import numpy as np
import pytest
import tensorflow as tf

from lmedge.block import Block
from lmedge.bounds import Share
from lmedge.gan import families
from lmedge.gan.family import Family, Panel
from lmedge.gan.gan import Gan
from lmedge.gan.options import EXPLANATION, TrainGanConfig
from lmedge.latent import LatentSpec
from lmedge.run import Run


@dataclass(frozen=True, kw_only=True)
class LeastSquaresConfig(TrainGanConfig):
    __doc__ = "Train a small generator with least squares (arXiv 1611.04076)." + "\n" + EXPLANATION

    family: str = "least-squares"
    """Kind of generator."""
    slope: Share = 0.2
    """Slope of the leaky rectifiers."""


class LeastSquares(Gan):
    def __init__(self, config, size):
        layers, self.latent = keras.layers, config.latent
        leaky = {"activation": lambda x: keras.activations.leaky_relu(x, config.slope)}
        z = keras.Input((config.latent,))
        image = layers.Dense(size * size * 3)(layers.Dense(config.width, activation="elu")(z))
        self.generator = keras.Model(z, layers.Reshape((size, size, 3))(image))
        face = keras.Input((size, size, 3))
        self.critic = keras.Model(face, layers.Dense(1)(layers.Dense(config.width, **leaky)(layers.Flatten()(face))))
        self.optimizers = {name: keras.optimizers.Adam(config.learning_rate, name=name) for name in ("g", "d")}
        self.optimizers["g"].build(self.generator.trainable_variables)
        self.optimizers["d"].build(self.critic.trainable_variables)

    def variables(self):
        return {"critic": self.critic.weights}

    def learn(self, batch, draws):
        z = draws.latents(tf.shape(batch.images)[0])
        with tf.GradientTape() as g_tape, tf.GradientTape() as d_tape:
            fake = self.generator(z)
            real_score, fake_score = self.critic(batch.images), self.critic(fake)
            d_loss = tf.reduce_mean((real_score - 1) ** 2) + tf.reduce_mean(fake_score**2)
            g_loss = tf.reduce_mean((fake_score - 1) ** 2)
        for name, tape, loss, network in (("g", g_tape, g_loss, self.generator), ("d", d_tape, d_loss, self.critic)):
            weights = network.trainable_weights
            self.optimizers[name].apply(tape.gradient(loss, [w.value for w in weights]), weights)
        return {"critic": d_loss, "generator": g_loss, "marks": tf.reduce_mean(batch.landmarks)}


class LeastSquaresFamily(Family[LeastSquaresConfig]):
    name = "least-squares"
    options = LeastSquaresConfig
    rate = 1e-3
    panels = (Panel("least squares", {"critic": "D", "generator": "G"}),)
    landmarks = True

    def build(self, config, faces, latent):
        return LeastSquares(config, faces.size)

    def latent(self, config, faces):
        return LatentSpec((Block("face", config.latent - 2), Block("noise", 2, "normal", -3.0, 3.0)))

    def note(self, figures):
        return f"D {figures['critic']:.2f}"


@pytest.fixture
def registered(monkeypatch):
    monkeypatch.setitem(families.FAMILIES, LeastSquaresFamily.name, LeastSquaresFamily())


def words(toys, run, kimg):
    shared = ("--preset", "toy32", "--width", 4, "--latent", 6, "--batch", 4, "--precision", "float32")
    often = ("--checkpoint-every", 0.012, "--log-every", 0.008, "--sample-every", 0.5, "--judge-every", 0.5)
    return "train-gan", toys, "--run", run, "--family", "least-squares", "--kimg", kimg, *shared, *often


def test_a_family_in_one_file_is_trained_continued_and_shown(registered, lmedge_here, toys, tmp_path):
    shown = lmedge_here("train-gan", "--family", "least-squares", "--help").stdout
    assert "--slope" in shown and "--gamma" not in shown and "least squares" in shown
    assert "--slope" not in lmedge_here("train-gan", "--help").stdout
    refused = lmedge_here(*words(toys, tmp_path / "none", 0.04), "--gamma", 0.5)
    assert refused.returncode == 2 and "--gamma" in refused.stderr

    whole, halves = tmp_path / "whole", tmp_path / "halves"
    assert lmedge_here(*words(toys, whole, 0.04), "--slope", 0.3).returncode == 0
    for kimg in (0.016, 0.04):  # continued from its checkpoint
        assert lmedge_here(*words(toys, halves, kimg), "--slope", 0.3).returncode == 0
    one, other = (Run.open(run).generator().get_weights() for run in (whole, halves))
    assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
    refused = lmedge_here(*words(toys, halves, 0.06), "--slope", 0.1)
    assert refused.returncode == 2 and "--slope is 0.1" in refused.stderr

    run = Run.open(whole)
    assert json.loads(run.config_file.read_text())["stages"]["train-gan"]["family"] == "least-squares"
    assert run.latent.blocks[1] == Block("noise", 2, "normal", -3.0, 3.0)
    assert {"critic", "generator", "marks"} <= run.log()[-1].keys()
    assert 0.3 < run.log()[-1]["marks"] < 0.7  # landmarks in 0..1 of the face
    assert lmedge_here("report", whole).returncode == 0
    assert "least-squares" in (whole / "report" / "index.html").read_text()
    assert "least-squares" in lmedge_here("info", whole).stdout


def test_a_run_of_before_there_were_families_is_a_began(tmp_path):
    run = Run.create(tmp_path / "run")
    assert families.family_of(run).name == "relativistic"  # what would be trained here now
    run.record("train-gan", {"width": 24})
    assert families.family_of(run).name == "began"
