import json
import os
import socket
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from lmedge.gan.draws import Draws
from lmedge.latent import LatentSpec
from lmedge.run import Run
from tests.gan import tiny_step


def draws(step=0, seed=3):
    return Draws(LatentSpec.uniform(8), seed, tf.constant(step))


def faces(seed=0, count=4):
    return tf.constant(np.random.default_rng(seed).integers(0, 256, (count, 16, 16, 3)), tf.uint8)


def norm(gradients):
    return float(np.sqrt(sum(np.square(np.asarray(gradient)).sum() for gradient in gradients)))


def plain_steps(gan, batches):
    """The same training written as the paper has it: two losses, two backward passes, Keras's Adam."""
    g, d = gan.generator, gan.discriminator
    adam = [keras.optimizers.Adam(1e-3, beta_1=0.5) for _ in range(2)]
    k, logs = 0.0, []
    for step, batch in enumerate(batches):
        real = np.asarray(batch).astype(np.float32) / 127.5 - 1
        z = draws(step).latents(len(real))
        with tf.GradientTape(persistent=True) as tape:
            fake = g(z)
            loss_real = tf.reduce_mean(tf.abs(real - d(real)))
            loss_fake = tf.reduce_mean(tf.abs(fake - d(fake)))
            loss_d = loss_real - k * loss_fake
        d_gradients = tape.gradient(loss_d, [w.value for w in d.trainable_weights])
        g_gradients = tape.gradient(loss_fake, [w.value for w in g.trainable_weights])
        adam[0].apply(d_gradients, d.trainable_weights)
        adam[1].apply(g_gradients, g.trainable_weights)
        balance = 0.4 * float(loss_real) - float(loss_fake)
        k = min(max(k + 0.05 * balance, 0), 1)
        logs.append({
            "loss_real": float(loss_real), "loss_fake": float(loss_fake), "k": k,
            "measure": float(loss_real) + abs(balance), "norm_d": norm(d_gradients), "norm_g": norm(g_gradients),
        })  # fmt: skip
    return logs


def test_the_joint_step_equals_the_paper_s_two_losses():
    joint, plain = tiny_step(mirror=False), tiny_step(mirror=False).gan
    batches = [faces(i) for i in range(5)]
    wanted = plain_steps(plain, batches)
    for batch, figures in zip(batches, wanted, strict=True):
        assert joint(batch) == pytest.approx(figures, rel=1e-3)
    for network in ("generator", "discriminator"):
        pairs = zip(getattr(joint.gan, network).get_weights(), getattr(plain, network).get_weights(), strict=True)
        for ours, theirs in pairs:
            assert ours == pytest.approx(theirs, abs=2e-4)


def test_k_stays_between_0_and_1():
    step = tiny_step(lambda_k=1.0)
    step.gan.lambda_k = 1e6
    values = [step(faces(i))["k"] for i in range(3)]
    assert all(0 <= k <= 1 for k in values) and 1.0 in values


def test_the_average_follows_its_formula():
    step = tiny_step(ema=0.9)
    average = step.average.get_weights()[2]
    for number in range(4):
        step(faces(number))
        keep = min(0.9, (1 + number) / (10 + number))
        average = keep * average + (1 - keep) * step.gan.generator.get_weights()[2]
    assert step.average.get_weights()[2] == pytest.approx(average, abs=1e-6)


def test_the_numbers_of_a_step_depend_on_seed_and_step_alone():
    first = draws().latents(4).numpy()
    assert (first == draws().latents(4).numpy()).all()
    assert not (first == draws(step=1).latents(4).numpy()).any()
    assert np.abs(first).max() <= 1
    assert not (first == draws(seed=4).latents(4).numpy()).any()


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def test_two_machines_train_as_one_with_the_whole_batch(toys, tmp_path, lmedge_here):
    options = ["--family", "began", "--preset", "toy32", "--width", "4", "--latent", "8", "--batch", "8"]
    options += ["--precision", "float32"]
    command = [sys.executable, "-m", "lmedge", "train-gan", toys, *options, "--kimg", "0.048", "--log-every", "0.008"]
    cluster = {"worker": [f"127.0.0.1:{port}" for port in free_ports(2)]}
    environments = [
        {**os.environ, "TF_CONFIG": json.dumps({"cluster": cluster, "task": {"type": "worker", "index": index}})}
        for index in range(2)
    ]
    workers = [
        subprocess.Popen([*command, "--run", tmp_path / "two"], env=environment, stderr=subprocess.PIPE, text=True)
        for environment in environments
    ]
    alone = lmedge_here(*command[3:], "--run", tmp_path / "one")
    errors = [worker.communicate(timeout=240)[1] for worker in workers]
    assert alone.returncode == 0, alone.stderr
    assert [worker.returncode for worker in workers] == [0, 0], errors
    one, two = (Run.open(tmp_path / name).log() for name in ("one", "two"))
    assert [line["step"] for line in two] == [1, 2, 3, 4, 5, 6]
    for first, second in zip(one, two, strict=True):
        for name in ("loss_real", "loss_fake", "k", "measure"):
            assert second[name] == pytest.approx(first[name], rel=1e-3), (first["step"], name)
    weights = [Run.open(tmp_path / name).generator().get_weights() for name in ("one", "two")]
    for ours, theirs in zip(*weights, strict=True):
        assert ours == pytest.approx(theirs, abs=2e-4)
