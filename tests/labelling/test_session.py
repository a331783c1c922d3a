"""What a person at work on labels is given: other faces, proposals, and what somebody else placed."""

import numpy as np
import pytest
from PIL import Image

from lmedge.errors import LmedgeError, UsageError
from lmedge.labels.choosing import pool_of, varied
from lmedge.labels.folder import LabelFolder, Placed
from lmedge.labels.frame import Frame
from lmedge.scheme import Scheme, scheme_of
from tests.labels.conftest import EYES


def label(session, faces, points=range(3)):
    """Places what is to be seen on faces, as a person who never errs."""
    for face in faces:
        for point, (x, y) in enumerate(session.model.truth(session.labels.z[face : face + 1])[0]):
            if point in points:
                session.place(face, point, Placed(float(x), float(y), 2), session.labels.at(face, point))
    session.settled()


def test_faces_that_are_chosen_differ_and_the_least_sure_are_left_out(model):
    frame = Frame.of(model)
    pool = pool_of(model, frame, 0)
    at = varied(pool, 8, pool.shapes[:0])
    apart = np.linalg.norm(pool.shapes[at][:, None] - pool.shapes[at], axis=-1)[np.triu_indices(8, 1)]
    at_random = np.linalg.norm(pool.shapes[:8, None] - pool.shapes[:8], axis=-1)[np.triu_indices(8, 1)]
    assert apart.min() > at_random.min() and apart.min() > 0.8 and len(set(at)) == 8
    # Of 400 faces whose confidence is drawn evenly a quarter goes.
    sure = model.render(pool.z).confidence
    assert len(pool) == 300 and sure.min() > 0.15
    more = varied(pool, 3, pool.shapes[at])
    assert not set(more) & set(at)
    with pytest.raises(UsageError, match="draws no 301 faces that differ"):
        varied(pool, 301, pool.shapes[:0])


def test_a_shape_does_not_depend_on_place_size_and_tilt(model):
    frame, landmarks = Frame.of(model), model.sample(3).landmarks
    turn = np.array([[0.9, -0.5], [0.5, 0.9]])
    moved = landmarks @ turn.T * 1.7 + (3, -8)
    assert frame.coordinates(moved) == pytest.approx(frame.coordinates(landmarks), abs=1e-5)


def test_more_and_more_is_proposed_and_the_labels_are_those_of_the_folder(opened):
    session = opened()
    assert session.state()["faces"] == [0] * 5 and session.state()["fit"] is None
    assert session.face(0)["proposals"] == [None] * 3 and len(session.face(0)["known"]) == 49
    picture = session.picture(1)
    assert picture.shape == (512, 512, 3)
    small = np.asarray(Image.open(session.labels.image_file(1)).convert("L"))
    assert np.unravel_index(picture[..., 0].argmax(), (512, 512)) // np.array(16) == pytest.approx(
        np.unravel_index(small.argmax(), (32, 32)), abs=1
    )
    label(session, range(3))
    told = session.state()
    assert told["faces"] == [3, 3, 3, 0, 0] and told["fit"]["faces"] == 3 and told["fit"]["error"] > 0
    assert session.more() == 5  # the last one is empty yet
    label(session, range(3, 5))
    assert session.more() == 10 and len(np.unique(session.labels.z, axis=0)) == 10
    label(session, range(5, 10))
    session.more()
    truth = session.model.truth(session.labels.z[10:])
    for face, true in enumerate(truth, 10):
        proposals = np.array(session.face(face)["proposals"])
        assert np.abs(proposals[:2, :2] - true[:2]).max() < 0.5  # what follows from the known points
        assert (proposals[:, 2] > 0).all()
    assert LabelFolder.open(session.labels.path).complete.sum() == 10


def test_faces_of_which_the_fit_is_unsure_come_next(opened):
    session = opened()
    label(session, range(5))
    fit, _ = session._learnt
    session.more()
    chosen, usual = session._known()[5:], pool_of(session.model, session.frame, 5).landmarks
    assert np.mean(fit(chosen).deviation) > 1.05 * np.mean(fit(usual).deviation)


def test_points_that_the_model_knows_are_proposed_on_the_first_face(opened):
    origin = ("ibug68/36", "hand", "ibug68/45")
    session = opened(Scheme("some", ("outer right", "mole", "outer left"), (2, 1, 0), (), (0, 2), origin))
    found = session.face(0)
    assert found["proposals"][1] is None
    for point, known in ((0, 19), (2, 28)):
        x, y, off = found["proposals"][point]
        assert [x, y] == pytest.approx(found["known"][known], abs=1e-3) and off is None


def test_a_scheme_is_made_on_the_first_face(opened, tmp_path):
    session = opened(None)
    assert session.state()["scheme"] is None and session.picture(0).shape == (512, 512, 3)
    with pytest.raises(UsageError, match="there is no scheme yet"):
        session.more()
    value = EYES.to_json()
    with pytest.raises(LmedgeError, match="The scheme has a mirror that takes right pupil to right pupil"):
        session.begin({**value, "mirror": [0, 1, 2]}, [[1, 1]] * 3)
    with pytest.raises(LmedgeError, match="The scheme has two points called 'chin'"):
        session.begin({**value, "names": ["chin", "chin", "x"]}, [[1, 1]] * 3)
    with pytest.raises(LmedgeError, match=r"the reference \[1, 1\], not two points"):
        session.begin({**value, "reference": [1, 1]}, [[1, 1]] * 3)
    with pytest.raises(UsageError, match="is outside of the picture"):
        session.begin(value, [[1, 2], [3, 4], [99, 6]])
    assert not (tmp_path / "labels").exists()
    session.begin(value, [[1, 2], [3, 4], [5, 6]])
    assert session.face(0)["points"] == [[1, 2, 2], [3, 4, 2], [5, 6, 2]]
    with pytest.raises(UsageError, match="made in another window"):
        session.begin(value, [[1, 2], [3, 4], [5, 6]])
    assert scheme_of(str(tmp_path / "labels" / "scheme.json")) == EYES and session.more() == 6


def test_what_there_is_not_is_refused(opened):
    session = opened()
    for face, point, sentence in ((5, 0, "there is no face 5"), (-1, 0, "no face -1"), (0, 3, "no point 3"),
                                  (0, -1, "no point -1")):  # fmt: skip
        with pytest.raises(UsageError, match=sentence):
            session.place(face, point, Placed(1, 1, 2), Placed())
    assert not session.labels.placed.any()
