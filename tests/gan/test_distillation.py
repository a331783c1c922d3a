"""A student's step against its formula, and who may be a teacher."""

import dataclasses
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf

from lmedge.errors import LmedgeError, UsageError
from lmedge.faces.records import FaceDataset
from lmedge.gan.draws import Draws
from lmedge.gan.families.relativistic.distillation import FEATURES, IMAGE, LEAST, Distillation
from lmedge.gan.families.relativistic.options import RelativisticConfig
from lmedge.gan.families.relativistic.teacher import Teacher, teacher_latent
from lmedge.gan.gan import Batch
from lmedge.gan.train import resolve, train_gan
from lmedge.run import Run
from lmedge.scheme import IBUG68
from lmedge.storage import read_json, write_json
from tests.conftest import TINY
from tests.gan.test_relativistic import LATENT, SQUARE, faces, softplus, tiny_step

STEPS = 40  # of which the teacher counts less and less over 20


def batch_of(seed):
    images, landmarks = faces(seed)
    return Batch(tf.cast(images, tf.float32) / 127.5 - 1, (landmarks + 0.5) / 16)


def gradients_of(gan, step, seed=0):
    """By which generator and discriminator move in a step."""
    before = [network.get_weights() for network in (gan.generator, gan.discriminator)]
    gan.optimizers = {name: keras.optimizers.SGD(1.0) for name in gan.optimizers}
    figures = gan.learn(batch_of(seed), Draws(LATENT, 3, tf.constant(step)))
    after = [network.get_weights() for network in (gan.generator, gan.discriminator)]
    return *([b - a for b, a in zip(*pair, strict=True)] for pair in zip(before, after, strict=True)), figures


def taught(**more):
    return tiny_step(taught=True, kimg=STEPS * 4 / 1000, fade=0.5, **more).gan


def test_the_step_adds_the_distance_to_the_teacher_with_one_pass_through_each_network():
    """Against one loss, by the formula and the networks as Keras has them, whose gradient is asked for at once."""
    gan, at = taught(), 5
    step_g, step_d, figures = gradients_of(taught(), at)
    _, plain_d, _ = gradients_of(plain := tiny_step().gan, at)
    assert plain.distillation is None

    g, d, teacher = gan.generator, gan.discriminator, gan.distillation.generator
    frozen = keras.Model(gan.distillation.features.inputs[0], gan.distillation.features.get_layer("block_4").output)
    batch = batch_of(0)
    shape = tf.constant(np.clip(SQUARE.latents(batch.landmarks.numpy()), -1, 1))
    z = np.concatenate([Draws(LATENT, 3, tf.constant(at)).latents(4)[:, :6], shape], axis=1)
    wanted = teacher(z)
    with tf.GradientTape() as tape:
        fake = g(z)
        adversarial = tf.reduce_mean(softplus(d([batch.images, shape]) - d([fake, shape])))
        image = tf.reduce_mean(tf.abs(fake - wanted))
        ours, theirs = (tf.reshape(frozen(x), [4, -1]) for x in (fake, wanted))
        features = tf.reduce_mean(tf.norm(ours - theirs, 1, axis=1) / tf.norm(theirs, 1, axis=1))
        share = LEAST + (1 - LEAST) * 0.5 * (1 + np.cos(np.pi * at / 20))
        loss = (1 - share) * adversarial + share * (IMAGE * image + FEATURES * features)
    for ours, theirs in zip(step_g, tape.gradient(loss, [w.value for w in g.trainable_weights]), strict=True):
        assert ours == pytest.approx(theirs.numpy(), rel=1e-3, abs=1e-5)
    assert float(figures["from_teacher"]) == pytest.approx(127.5 * float(image), rel=1e-4)
    assert float(figures["features_from_teacher"]) == pytest.approx(100 * float(features), rel=1e-4)
    # D begins as the teacher's, and learns from photos and faces alone.
    assert np.array_equal(d.get_weights()[0], frozen.get_weights()[0])
    gan.distillation = None
    alone_d = gradients_of(gan, at)[1]
    assert all(np.allclose(one, other, atol=1e-6) for one, other in zip(step_d, alone_d, strict=True))
    assert not np.allclose(step_d[0], plain_d[0], atol=1e-6)


def test_at_first_the_teacher_rules_and_then_gives_way():
    """At the first step it does not matter to G what its own discriminator says, and later it does."""

    def moves(step, factor):
        gan = taught()
        for weight in gan.discriminator.weights:
            weight.assign(weight * factor)
        return gradients_of(gan, step)[0]

    for step, same in ((0, True), (10, False)):
        pairs = zip(moves(step, 1.0), moves(step, 1.5), strict=True)
        assert all(np.allclose(one, other, atol=1e-6) for one, other in pairs) is same
    distillation = taught().distillation
    shares = [float(distillation.share(tf.constant(step))) for step in (0, 10, 20, STEPS)]
    assert shares == pytest.approx([1, (1 + LEAST) / 2, LEAST, LEAST])
    never = Distillation(Teacher(distillation.generator, None, 8), STEPS, 0)
    assert float(never.share(tf.constant(0))) == pytest.approx(LEAST)


def test_without_its_discriminator_a_teacher_is_compared_with_in_the_image_alone():
    gan = taught()
    gan.distillation = Distillation(Teacher(gan.distillation.generator, None, 8), STEPS, 0.5)
    assert "features_from_teacher" not in gradients_of(gan, 0)[2]


def student(toys, run, teacher, kimg=0.032, **more):
    return RelativisticConfig(
        dataset=toys, run=run, teacher=teacher, kimg=kimg,
        **{**TINY, "width": 8, "latent": None, "penalty_every": 2, "fade": 0, "anneal": 0, "checkpoint_every": 0.016,
           "log_every": 0.008, "sample_every": 1, "judge_every": 1, **more},
    )  # fmt: skip


@pytest.fixture(scope="module")
def teacher(toys, tmp_path_factory):
    run = tmp_path_factory.mktemp("teacher") / "run"
    train_gan(student(toys, run, None, 0.008, latent=6, shape=4))
    return run


@pytest.fixture(scope="module")
def whole(toys, teacher, tmp_path_factory):
    return train_gan(student(toys, tmp_path_factory.mktemp("student") / "run", teacher)).run


def test_a_continued_student_equals_a_whole_one_whatever_became_of_its_teacher(toys, teacher, whole, tmp_path):
    other = shutil.copytree(teacher, tmp_path / "teacher")
    train_gan(student(toys, tmp_path / "run", other, 0.016))
    train_gan(student(toys, other, None, 0.024, latent=6, shape=4))
    halves = train_gan(student(toys, tmp_path / "run", other)).run
    assert halves.latent == whole.latent == Run.open(teacher).latent
    for one, same in zip(whole.generator().get_weights(), halves.generator().get_weights(), strict=True):
        assert np.array_equal(one, same)


def test_log_and_report_say_how_far_the_teacher_is(teacher, whole, lmedge_here):
    assert all(line["from_teacher"] > 0 and line["features_from_teacher"] > 0 for line in whole.log())
    for run, says in ((whole.path, True), (teacher, False)):
        assert lmedge_here("report", run).returncode == 0
        assert ("distance to the teacher is" in (run / "report" / "index.html").read_text()) is says


def test_a_run_that_cannot_teach_is_refused_in_a_sentence(toys, teacher, trained, tmp_path):
    for wrong, sentence in (
        ({"teacher": trained}, "is of the family began"),
        ({"teacher": tmp_path / "none"}, "is not a run"),
        ({"run": teacher}, "are both"),
        ({"preset": "cpu64"}, "draws faces of 32 pixels, and --preset cpu64 is for 64"),
        ({"latent": 64}, "--latent is 64, and latents of --teacher .* have 6; leave it out"),
        ({"shape": 0}, "--shape is 0, and latents of --teacher .* have 4; leave it out"),
    ):  # fmt: skip
        with pytest.raises(UsageError, match=sentence):
            resolve(dataclasses.replace(student(toys, tmp_path / "run", teacher), **wrong))
    assert resolve(student(toys, tmp_path / "run", teacher, latent=6)).shape == 4
    config = resolve(student(toys, tmp_path / "run", teacher))
    faces = FaceDataset(toys)
    assert teacher_latent(config, faces) == Run.open(teacher).latent
    faces.scheme = IBUG68
    with pytest.raises(UsageError, match="asked for landmarks of .*49.*and .* has .*68"):
        teacher_latent(config, faces)


def test_a_teacher_of_another_version_or_without_networks_is_refused_in_a_sentence(toys, teacher, tmp_path):
    copy = shutil.copytree(teacher, tmp_path / "teacher")
    config = student(toys, tmp_path / "run", copy)
    (copy / "generator.keras").unlink()
    with pytest.raises(LmedgeError, match=r"has no generator.keras"):
        train_gan(config)
    noted = read_json(copy / "config.json", "")
    write_json(copy / "config.json", {**noted, "schema": 1})
    with pytest.raises(LmedgeError, match="has schema 1"):
        resolve(config)
