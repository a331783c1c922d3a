import numpy as np
import pytest

from lmedge.annotators.face_mesh import FaceMesh
from lmedge.annotators.looking import look
from lmedge.landmarks import nme
from lmedge.processes import Processes
from lmedge.scheme import IBUG49
from tests.conftest import FOUND_LOOKS, drawn_photo


def test_workers_see_what_one_process_sees(monkeypatch):
    shown = [*(drawn_photo(look, 64) for look in FOUND_LOOKS[:3]), np.full((64, 64, 3), 128, np.uint8)]
    faces = np.stack(shown * 3)
    counted, views = [], ("plain", "shifted")
    alone = look(FaceMesh(), faces, IBUG49, counted.append, views)
    assert sum(counted) == 12 and (alone.at == [0, 1, 2, 4, 5, 6, 8, 9, 10]).all()
    monkeypatch.setattr("lmedge.annotators.looking.WORTH_A_WORKER", 1)
    many = look(FaceMesh(), faces, IBUG49, counted.append, views, Processes(2))
    assert (many.found == alone.found).all() and (many.at == alone.at).all() and sum(counted) == 24
    assert many.views == pytest.approx(alone.views, abs=1e-3)


def test_views_speak_of_the_face_as_given():
    face = drawn_photo(FOUND_LOOKS[0], 64)
    with FaceMesh() as mesh:
        plain, mirror, shifted = (mesh.of_face(face, IBUG49, view) for view in ("plain", "mirror", "shifted"))
    for other in (mirror, shifted):
        difference = nme(other[None], plain[None], IBUG49)[0]
        assert 0 < difference < 0.06
