import numpy as np
import pytest
from PIL import Image

from lmedge.errors import LmedgeError, UsageError
from lmedge.scheme import IBUG49
from tests.datasets import made, read_pts

pytestmark = pytest.mark.usefixtures("small_parts")


def test_around_photos_lie_the_neighbours_of_their_inversions(trained, toys, tmp_path):
    with pytest.raises(LmedgeError, match=r"draws none of the 48 faces \(toy-0000000: .* of the face is explained"):
        made(trained, tmp_path / "strict", "pts", around=toys)
    made(trained, tmp_path / "none", "pts", around=toys, radius=0.0, count=48, keep_all=True)
    made(trained, tmp_path / "near", "pts", around=toys, radius=0.2, count=96, keep_all=True)
    text = (tmp_path / "near" / "README.md").read_text()
    assert "No picture here is a photo" not in text and "around | 48 photographed faces; 0 were left out" in text
    assert "licence of the photos that it was drawn around | CC0-1.0" in text
    centres, near = (np.array([image for image, _ in read_pts(tmp_path / name)], float) for name in ("none", "near"))
    assert not (centres[0] == centres[1]).all()
    of_own = np.abs(near[:20] - centres[:20]).mean()
    assert 0 < of_own < np.abs(near[:20] - centres[5:25]).mean()
    assert not (near[0] == near[1]).all()
    with pytest.raises(UsageError, match="--around nowhere does not exist"):
        made(trained, tmp_path / "other", "pts", around=type(tmp_path)("nowhere"))


def test_around_photos_without_a_face_says_which_and_why(trained, tmp_path):
    (tmp_path / "photos").mkdir()
    Image.fromarray(np.full((80, 80, 3), 90, np.uint8)).save(tmp_path / "photos" / "wall.png")
    with pytest.raises(LmedgeError, match=r"no photo became a face \(wall.png: no face found\); take others.") as error:
        made(trained, tmp_path / "out", "pts", around=tmp_path / "photos")
    assert "rejected.csv" not in str(error.value) and not (tmp_path / "out").exists()


def test_an_inversion_that_is_another_face_is_told_from_the_same(photos):
    from lmedge.annotators.face_mesh import FaceMesh
    from lmedge.datasets.around import unlike

    drawn = [np.asarray(Image.open(path).resize((64, 64))) for path in sorted(photos.rglob("*.png"))]
    with FaceMesh() as mesh:
        seen = [(face, mesh.of_face(face, IBUG49)) for face in drawn]
    faces, points = map(np.stack, zip(*((face, marks) for face, marks in seen if marks is not None), strict=True))
    soft = (faces * 0.9 + 10).astype(np.uint8)
    assert set(unlike(soft, faces, points, FaceMesh(), IBUG49)) == {""}
    mush = np.broadcast_to(faces.mean(axis=(1, 2), keepdims=True), faces.shape).astype(np.uint8)
    assert all("of the face is explained" in why for why in unlike(mush, faces, points, FaceMesh(), IBUG49))
    assert all(unlike(np.roll(faces, 12, axis=2), faces, points, FaceMesh(), IBUG49))


def test_a_bundle_cannot_be_inverted(bundle, toys, tmp_path):
    with pytest.raises(UsageError, match="--around needs a run, whose generator can be inverted, and"):
        made(bundle, tmp_path / "out", "pts", around=toys)
