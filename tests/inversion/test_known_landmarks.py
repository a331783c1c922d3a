"""Where landmarks of a face are known, its search starts from them, whoever asks for the inversion."""

import shutil

import keras
import numpy as np
import pytest
from PIL import Image

from lmedge.datasets.around import centres_around
from lmedge.evaluation.paths import mirror_paths
from lmedge.faces.crop import Cutting
from lmedge.faces.one_photo import face_in
from lmedge.faces.records import FaceDataset
from lmedge.inversion.invert import invert
from lmedge.inversion.inverter import Inverter
from lmedge.inversion.options import InvertConfig, InvertPhotoConfig
from lmedge.inversion.photo import invert_photo
from lmedge.inversion.search import Search
from lmedge.keras_model import Generator, KerasFaceModel
from lmedge.landmarks import mirrored, normalised
from lmedge.run import Run
from lmedge.scheme import IBUG49
from tests.at_its_word import LATENT, PERSON, SIZE, SPACE, networks
from tests.conftest import FOUND_LOOKS, drawn_photo


@pytest.fixture(scope="module")
def blind():
    """A generator whose pictures say nothing of the landmarks, so that a search leaves them as they were."""
    keras.utils.set_random_seed(1)
    generator, _ = networks()
    dense = next(layer for layer in generator.layers if isinstance(layer, keras.layers.Dense))
    kernel, bias = dense.get_weights()
    kernel[PERSON:] = 0
    dense.set_weights([kernel, bias])
    return generator


@pytest.fixture
def run(trained, blind, tmp_path):
    run = Run(shutil.copytree(trained, tmp_path / "run"))
    for file in (run.lgen_file, run.encoder_file):
        file.unlink()
    shutil.rmtree(run.latents)
    blind.save(run.generator_file)
    run.record("train-gan", {}, latent=LATENT.to_json())
    return run


def nearest(points):
    """The numbers that ask for points `[..., K, 2]` in pixels of a face, as near to them as can be asked for."""
    flat = normalised(points, SIZE, SIZE).reshape(len(points), -1) - np.array(SPACE.mean)
    return np.clip(np.linalg.lstsq(np.array(SPACE.axes).T, flat.T, rcond=None)[0].T, -1, 1)


def test_a_face_of_a_dataset_starts_from_its_own(run, toys):
    latents = invert(InvertConfig(run=run.path, faces=toys, start="centre", steps=2, batch=16))
    wanted = nearest(FaceDataset(toys).landmarks)
    assert latents.z[:, PERSON:] == pytest.approx(wanted, abs=1e-4) and wanted.std(axis=0).min() > 0.05


def test_a_photo_starts_from_those_that_are_found_on_it(run, tmp_path):
    photo = tmp_path / "me.png"
    Image.fromarray(drawn_photo(FOUND_LOOKS[0])).save(photo)
    z = invert_photo(InvertPhotoConfig(run=run.path, photo=photo, start="centre", steps=2, rounds=1)).z
    found = face_in(photo, Cutting.as_of(run.provenance, run.scheme, SIZE), "inverted").landmarks
    assert z[PERSON:] == pytest.approx(nearest(found[None])[0], abs=1e-4) and np.abs(z[PERSON:]).max() > 0.05


def test_a_mirrored_face_starts_from_mirrored_ones(run, blind, toys):
    dataset = FaceDataset(toys)
    latents = invert(InvertConfig(run=run.path, faces=toys, start="centre", steps=1, count=6, batch=6))
    model = KerasFaceModel(Generator(blind, LATENT), networks()[1], scheme=IBUG49)
    inverter = Inverter(blind, LATENT, Search(steps=1, batch=6), np.ones((SIZE, SIZE), np.float32))
    walked = mirror_paths(model, latents, dataset.images(latents.index), np.arange(6), inverter)
    wanted = nearest(mirrored(dataset.landmarks[latents.index], SIZE, IBUG49))
    assert walked.z[:, -1, PERSON:] == pytest.approx(wanted, abs=1e-4)
    assert np.abs(wanted - walked.z[:, 0, PERSON:]).max() > 0.05


def test_faces_to_draw_around_start_from_theirs(run, toys, tmp_path):
    centres = centres_around(run, toys, tmp_path, executor=None, every=True)
    assert centres.z[:, PERSON:] == pytest.approx(nearest(FaceDataset(toys).landmarks), abs=1e-4)
