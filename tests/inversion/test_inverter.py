import dataclasses
import shutil

import numpy as np
import pytest

from lmedge.errors import LmedgeError
from lmedge.inversion.focus import face_weights
from lmedge.inversion.inverter import Inverter
from lmedge.inversion.options import CheckInversionConfig
from lmedge.inversion.recovery import check_inversion
from lmedge.inversion.search import Search
from lmedge.run import Run
from tests.inversion import SPEC, curved_generator, linear_generator, uniform

SEARCH = Search(start="centre", steps=4, rounds=1, background=1.0, batch=8)
ONES = np.ones((8, 8), np.float32)


@pytest.fixture
def run(trained, tmp_path):
    """A run whose generator has a known inverse."""
    run = Run(shutil.copytree(trained, tmp_path / "run"))
    curved_generator().save(run.generator_file)
    run.record("train-gan", {}, latent=SPEC.to_json())
    return run


def test_the_check_finds_every_latent_and_too_few_steps_of_the_paper_do_not(run):
    found = check_inversion(CheckInversionConfig(run=run.path, count=40))
    assert found.recovered == found.images_recovered == 1 and found.z_errors.shape == (40,)
    paper = check_inversion(CheckInversionConfig(run=run.path, count=40, preset="paper", steps=5))
    assert paper.recovered < 0.1


def test_drawn_faces_are_finished_in_float32_and_photos_are_not():
    generator = curved_generator()
    z = uniform(20, 1)
    drawn = np.asarray(generator(z))
    noise = drawn + np.random.default_rng(0).normal(0, 0.1, drawn.shape).astype(np.float32)
    inverter = Inverter(generator, SPEC, dataclasses.replace(SEARCH, steps=3), ONES)
    finished = []
    finish = inverter._finish
    inverter._finish = lambda faces, start: finished.append(np.asarray(faces)) or finish(faces, start)
    assert inverter(drawn) == pytest.approx(z, abs=1e-3) and finished
    finished.clear()
    inverter(noise)
    assert not finished


def test_more_rounds_go_on_with_the_faces_that_still_gain():
    generator = curved_generator()
    faces = np.asarray(generator(uniform(9, 1)))
    faces = faces + np.random.default_rng(0).normal(0, 0.1, faces.shape).astype(np.float32)
    faces = np.concatenate([faces, np.asarray(generator(np.zeros((1, 6), np.float32)))])  # where the search begins
    once, often = (dataclasses.replace(SEARCH, rounds=rounds, steps=1) for rounds in (1, 8))
    asked = []
    inverter = Inverter(generator, SPEC, often, ONES)
    search = inverter._search
    inverter._search = lambda faces, start: asked.append(len(np.unique(faces, axis=0))) or search(faces, start)
    found = [Inverter(generator, SPEC, once, ONES)(faces), inverter(faces)]
    error = [np.square(np.asarray(generator(z)) - faces).mean() for z in found]
    assert error[1] < error[0]
    assert asked[:4] == [8, 2, 8, 1] and len(asked) < 2 * 8


def test_progress_counts_every_face_once():
    counted = []
    Inverter(curved_generator(), SPEC, dataclasses.replace(SEARCH, rounds=3), ONES)(
        np.asarray(curved_generator()(uniform(20, 1))), 0, counted.append
    )
    assert counted == [8, 8, 4]


def test_starts_are_the_encoder_s_guess_the_centre_or_the_prior():
    generator = linear_generator()
    faces = np.asarray(generator(uniform(12, 1)))
    guess = uniform(12, 5)
    starts = {}
    for start in ("encoder", "centre", "random"):
        inverter = Inverter(
            generator, SPEC, dataclasses.replace(SEARCH, start=start), ONES, lambda some: guess[: len(some)]
        )
        starts[start] = inverter._start(faces, 3)
    assert (starts["encoder"] == np.concatenate([guess[:8], guess[:4]])).all() and not starts["centre"].any()
    assert np.abs(starts["random"]).max() <= 1 and starts["random"].std() == pytest.approx(0.577, abs=0.1)


def test_values_that_are_not_finite_are_refused():
    generator = linear_generator()
    generator.set_weights([np.full((6, 192), np.nan, np.float32)])
    with pytest.raises(LmedgeError, match="not finite; train it again"):
        Inverter(generator, SPEC, SEARCH, ONES)(np.zeros((3, 8, 8, 3), np.float32))


def test_the_face_counts_more_than_the_background():
    square = np.array([[4, 4], [11, 4], [11, 11], [4, 11]], np.float32)
    weights = face_weights(np.stack([square, square + 2]), 20, 0.2)
    assert weights.mean() == pytest.approx(1) and weights.shape == (20, 20)
    inside, half, outside = weights[8, 8], weights[4, 4], weights[0, 0]
    assert outside / inside == pytest.approx(0.2) and half / inside == pytest.approx(0.6)
    assert (face_weights(square[None], 20, 1.0) == 1).all()
