"""What every backing of a face model promises: the networks of a run, and the model of its bundle."""

import pickle

import numpy as np
import pytest

from lmedge.errors import UsageError
from lmedge.keras_model import KerasFaceModel
from lmedge.latent import uniform
from lmedge.run import Run
from lmedge.runtime import FacePool, FaceSampler


@pytest.fixture(scope="module")
def backings(trained, bundle):
    with FacePool(bundle, "fp32", workers=2) as pool:
        run = Run(trained)
        yield {
            "keras": run.face_model(),
            "keras without confidence": KerasFaceModel(
                run.face_model().generator, run.lgen(), scheme=run.scheme, training=run.training()
            ),
            "sampler": FaceSampler(bundle, "fp32", threads=1),
            "pool": pool,
        }


BACKINGS = ("keras", "keras without confidence", "sampler", "pool")


@pytest.fixture(params=BACKINGS)
def model(request, backings):
    return backings[request.param]


def test_all_draw_the_same_faces(backings):
    one, *others = (backings[name].sample(11, seed=4) for name in BACKINGS)
    assert (one.latents == uniform(11, 8, 4)).all() and one.images.std() > 1
    for faces in others:
        assert np.abs(faces.images.astype(int) - one.images).max() <= 1
        assert faces.landmarks == pytest.approx(one.landmarks, abs=1e-3)
        assert faces.confidence is None or faces.confidence == pytest.approx(one.confidence, abs=1e-4)
        sure = faces.point_confidence
        assert sure is None or sure == pytest.approx(one.point_confidence, abs=1e-4)


def test_all_say_the_same_of_themselves(backings):
    def said(model):
        return (model.latent, model.width, model.height, model.scheme, model.version, model.training,
                model.provenance.licence)  # fmt: skip

    one, *others = (said(backings[name]) for name in BACKINGS)
    assert one[1:3] == (32, 32) and one[5]["faces"] == 48 and one[6] == "CC0-1.0"
    assert others == [one] * 3
    assert [backings[name].knows_confidence for name in BACKINGS] == [True, False, True, True]
    assert backings["keras"].facts()["generator"].endswith("Keras in float32")
    assert backings["pool"].facts() == backings["sampler"].facts()


def test_confidence_is_there_where_the_model_knows_it(model):
    confidence = model.sample(3).confidence
    assert confidence is None if not model.knows_confidence else confidence.shape == (3,)
    sure = model.sample(3).point_confidence
    assert sure is None if not model.knows_point_confidence else sure.shape == (3, 49)
    assert model.knows_point_confidence == model.knows_confidence


def test_no_latents_are_no_faces(model):
    faces = model.render(np.empty((0, 8), np.float32))
    assert faces.images.shape == (0, 32, 32, 3) and faces.landmarks.shape == (0, 49, 2) and len(faces.latents) == 0
    assert faces.confidence is None or len(faces.confidence) == 0
    assert faces.point_confidence is None or faces.point_confidence.shape == (0, 49)
    assert model.landmarks(faces.latents).shape == (0, 49, 2)


def test_landmarks_need_no_faces(model):
    z = uniform(5, 8, 1)
    assert model.landmarks(z) == pytest.approx(model.render(z).landmarks, abs=1e-4)


@pytest.mark.parametrize("ask", ["render", "landmarks"])
def test_other_latents_are_refused(model, ask):
    with pytest.raises(UsageError, match=r"latents of shape \(2, 9\) are not \[N, 8\], as this model takes"):
        getattr(model, ask)(np.zeros((2, 9), np.float32))
    with pytest.raises(UsageError, match=r"latents of shape \(8,\) are not"):
        getattr(model, ask)(np.zeros(8, np.float32))
    with pytest.raises(UsageError, match="the latents hold values that are not finite"):
        getattr(model, ask)(np.full((2, 8), np.nan))
    with pytest.raises(UsageError, match=r"a latent of shape \(9,\) is not \[8\]"):
        model.near(np.zeros(9, np.float32), 2)


def test_another_process_opens_the_same_or_none(backings):
    assert backings["keras"].elsewhere is None
    opened = pickle.loads(pickle.dumps(backings["sampler"].elsewhere))()
    assert (opened.sample(2, 3).images == backings["sampler"].sample(2, 3).images).all()
