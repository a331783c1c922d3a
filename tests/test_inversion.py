import json
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf

from lmedge.config import InvertConfig, ToyConfig
from lmedge.errors import LmedgeError, UsageError
from lmedge.faces.records import FaceDataset
from lmedge.faces.toy import toy
from lmedge.inversion import invert, load_latents, make_inverter, psnr
from lmedge.landmarks import in_pixels
from lmedge.run import Run


def simple_generator():
    """A generator whose inverse is known: a fixed, well-conditioned linear map."""
    z = keras.Input((6,))
    image = keras.layers.Reshape((8, 8, 3))(keras.layers.Dense(192, use_bias=False)(z))
    model = keras.Model(z, image)
    basis = np.linalg.qr(np.random.default_rng(0).normal(size=(192, 6)))[0].T
    model.set_weights([basis * 3])
    return model


def seed(number=0):
    return tf.constant([number, 0])


def uniform(count, number):
    return tf.constant(np.random.default_rng(number).uniform(-1, 1, (count, 6)), tf.float32)


@pytest.mark.parametrize("loss", ["l1", "l2"])
def test_the_latent_of_a_generated_image_is_found(loss):
    generator = simple_generator()
    z = uniform(16, 1)
    found, images = make_inverter(generator, 400, 0.1, loss)(generator(z), uniform(16, 2), seed())
    assert np.asarray(found) == pytest.approx(np.asarray(z), abs=0.02)
    assert np.asarray(images) == pytest.approx(np.asarray(generator(found)), abs=1e-5)


def test_latents_stay_inside_the_prior_even_for_faces_outside_it():
    generator = simple_generator()
    z = 1.6 * tf.sign(uniform(16, 1))
    found, _ = make_inverter(generator, 60, 0.3, "l2")(generator(z), uniform(16, 2), seed())
    assert np.abs(found).max() <= 1


def test_a_face_s_latent_does_not_depend_on_its_batch():
    generator = simple_generator()
    images, start = generator(uniform(8, 1)), uniform(8, 2)
    inverter = make_inverter(generator, 20, 0.01, "l1")
    whole = inverter(images, start, seed())[0].numpy()
    half = inverter(images[:4], start[:4], seed())[0].numpy()
    assert half == pytest.approx(whole[:4], abs=1e-5)


def test_more_steps_never_return_a_worse_latent():
    generator = simple_generator()
    images, start = generator(uniform(8, 1)), uniform(8, 2)
    few = make_inverter(generator, 1, 0.1, "l2")(images, start, seed())[1]
    assert (psnr(few, images) >= psnr(generator(start), images)).all()


def test_psnr_is_tensorflow_s():
    random = np.random.default_rng(0)
    a, b = (random.uniform(-1, 1, (3, 8, 8, 3)).astype(np.float32) for _ in range(2))
    assert psnr(a, b) == pytest.approx(tf.image.psnr(a, b, max_val=2.0).numpy(), abs=1e-3)
    assert psnr(2 * np.ones((1, 2, 2, 3)), np.ones((1, 2, 2, 3))) > 100  # clipped first


@pytest.fixture
def run(trained, tmp_path):
    return Run(shutil.copytree(trained, tmp_path / "run"))


def test_every_face_gets_its_latent_and_its_labels(trained, toys):
    latents, dataset = load_latents(Run(trained)), FaceDataset(toys)
    assert len(latents) == 48 and latents.z.shape == (48, 8) and np.abs(latents.z).max() <= 1
    assert (latents.index == np.arange(48)).all() and (latents.groups == dataset.groups).all()
    assert in_pixels(latents.landmarks, 32, 32) == pytest.approx(dataset.landmarks, abs=1e-4)
    images = Run(trained).generator()(latents.z)
    assert latents.psnr == pytest.approx(psnr(images, dataset.images(range(48)) / np.float32(127.5) - 1), abs=1e-2)


def test_a_killed_inversion_continues_to_the_same_latents(run, toys, monkeypatch):
    from lmedge import inversion

    monkeypatch.setattr(inversion, "PART_FACES", 20)
    config = InvertConfig(run=run.path, dataset=toys, steps=4, batch=8, overwrite=True)
    whole = invert(config)
    assert len(list(run.latents.glob("part-*.npz"))) == 3
    kept = (run.latents / "part-00000.npz").stat().st_mtime_ns
    (run.latents / "part-00001.npz").unlink()
    again = invert(InvertConfig(run=run.path, dataset=toys, steps=4, batch=8))
    assert (again.z == whole.z).all() and (again.index == np.arange(48)).all()
    assert (run.latents / "part-00000.npz").stat().st_mtime_ns == kept
    (run.latents / "part-00002.npz").unlink()
    with pytest.raises(LmedgeError, match="holds 40 of 48 faces"):
        load_latents(run)
    (run.latents / "part-00002.npz").write_bytes(b"PK\x03\x04 cut")
    with pytest.raises(LmedgeError, match="part-00002.npz is damaged"):
        load_latents(run)


def test_a_part_of_the_faces_is_spread_over_the_dataset(run, toys):
    latents = invert(InvertConfig(run=run.path, dataset=toys, steps=1, count=5, overwrite=True))
    assert latents.index.tolist() == [0, 12, 24, 35, 47]


def test_latents_of_other_options_or_another_generator_are_refused(run, toys):
    with pytest.raises(UsageError, match=r"other options; add --overwrite"):
        invert(InvertConfig(run=run.path, dataset=toys, steps=6, batch=16))
    generator = run.generator()
    generator.set_weights([weight * 2 for weight in generator.get_weights()])
    generator.save(run.generator_file)
    with pytest.raises(LmedgeError, match="another state of the generator"):
        load_latents(run)
    with pytest.raises(UsageError, match="another state of the generator"):
        invert(InvertConfig(run=run.path, dataset=toys, steps=5, batch=16))


def test_what_does_not_fit_the_run_is_refused(run, toys, tmp_path):
    toy(ToyConfig(out=tmp_path / "large", count=4, size=64, workers=1))
    with pytest.raises(UsageError, match="faces of 64 pixels and the generator of .* draws 32"):
        invert(InvertConfig(run=run.path, dataset=tmp_path / "large"))
    toy(ToyConfig(out=tmp_path / "other", count=4, workers=1, scheme="ibug68"))
    with pytest.raises(UsageError, match="has ibug68 landmarks and .* began with ibug49"):
        invert(InvertConfig(run=run.path, dataset=tmp_path / "other"))
    with pytest.raises(UsageError, match="--steps must be at least 1"):
        invert(InvertConfig(run=run.path, dataset=toys, steps=0))
    run.generator_file.unlink()
    with pytest.raises(LmedgeError, match=r"has no generator.keras; run `lmedge train-began` first"):
        invert(InvertConfig(run=run.path, dataset=toys))
    run.generator_file.write_bytes(b"not a network")
    with pytest.raises(LmedgeError, match="cannot be read"):
        invert(InvertConfig(run=run.path, dataset=toys))


def test_a_generator_with_code_in_it_is_not_run(run, toys, tmp_path):
    z = keras.Input((8,))
    image = keras.layers.Reshape((1, 1, 3))(keras.layers.Lambda(lambda x: x[:, :3])(z))
    keras.Model(z, image).save(run.generator_file)
    with pytest.raises(LmedgeError, match="cannot be read"):
        run.generator()


def test_a_run_without_latents_says_what_to_run(run):
    shutil.rmtree(run.latents)
    with pytest.raises(LmedgeError, match="run `lmedge invert"):
        load_latents(run)


def test_config_json_holds_every_stage(trained):
    config = json.loads((trained / "config.json").read_text())
    assert list(config["stages"])[:3] == ["train-began", "invert", "train-lgen"]
    assert config["stages"]["invert"]["steps"] == 5 and config["seed"] == 0
    assert {"lmedge", "tensorflow", "keras"} <= set(config["versions"])
