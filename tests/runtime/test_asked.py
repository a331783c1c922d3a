"""Faces of `sample` that are asked for by landmarks and pose."""

import csv
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from lmedge.errors import LmedgeError, UsageError
from lmedge.landmarks import in_pixels, nme, write_pts
from lmedge.pose import posture
from lmedge.runtime import FaceSampler
from lmedge.runtime.gallery import sample
from lmedge.runtime.options import SampleConfig
from lmedge.runtime.shape_block import ShapeBlock
from lmedge.scheme import IBUG49, IBUG68
from lmedge.seeds import Purpose
from tests.at_its_word import LATENT, SIZE, SPACE, drawn_landmarks
from tests.conftest import FOUND_LOOKS, drawn_photo

COUNT = 12
BLOCK = ShapeBlock.of(LATENT, IBUG49, "a model", "--pts")


def drawn(bundle, out, finder=None, **options):
    """What is written: latents by block, and landmarks `[N, 49, 2]` in pixels."""
    sample(SampleConfig(bundle=bundle, out=out, count=COUNT, seed=5, **options), finder)
    with np.load(out / "latents.npz") as file:
        latents = dict(file)
    rows = list(csv.reader((out / "landmarks.csv").read_text().splitlines()))[1:]
    return latents, np.array([row[1:] for row in rows], float).reshape(-1, 49, 2)


@pytest.fixture
def face():
    """A face that the model has not seen, in its pixels."""
    return in_pixels(drawn_landmarks(203)[-1], SIZE, SIZE)


@pytest.fixture
def pts(face, tmp_path):
    """It in a photo of another size."""
    write_pts(tmp_path / "face.pts", face * 7.5 + (300, 120))
    return tmp_path / "face.pts"


def least_squares(points, goal):
    """Points scaled, turned and moved to lie nearest to others, by solving for all four numbers at once."""
    x = np.zeros((points.size, 4))
    x[:, 0], x[0::2, 1], x[1::2, 1] = points.ravel(), -points[:, 1], points[:, 0]
    x[0::2, 2], x[1::2, 3] = 1, 1
    return (x @ np.linalg.lstsq(x, goal.ravel(), rcond=None)[0]).reshape(-1, 2)


def test_all_faces_get_the_landmarks_of_a_file_and_stay_the_people_they_were(asked_bundle, pts, face, tmp_path):
    before, marks = drawn(asked_bundle, tmp_path / "before")
    assert (np.concatenate([before["person"], before["shape"]], axis=1) == LATENT.draw(COUNT, 5)).all()
    latents, asked = drawn(asked_bundle, tmp_path / "asked", pts=pts)
    assert (latents["person"] == before["person"]).all()
    assert np.ptp(latents["shape"], axis=0).max() == 0 and np.ptp(before["shape"], axis=0).min() > 0.1
    wanted = least_squares(face, in_pixels(np.array(SPACE.mean).reshape(-1, 2), SIZE, SIZE))
    error = nme(asked, np.repeat(wanted[None], COUNT, axis=0), IBUG49)
    assert error.max() < 0.03  # what six axes leave over
    assert nme(marks, np.repeat(wanted[None], COUNT, axis=0), IBUG49).mean() > 3 * error.max()


def test_points_of_300w_are_asked_for_where_their_scheme_is_said(asked_bundle, face, tmp_path):
    points = np.zeros((68, 2), np.float32)
    points[[IBUG68.index(point) for point in IBUG49.points]] = face
    write_pts(tmp_path / "all.pts", points)
    write_pts(tmp_path / "some.pts", face)
    one, _ = drawn(asked_bundle, tmp_path / "one", pts=tmp_path / "all.pts", pts_scheme=IBUG68)
    other, _ = drawn(asked_bundle, tmp_path / "other", pts=tmp_path / "some.pts")
    assert one["shape"] == pytest.approx(other["shape"], abs=1e-3)


def test_heads_turn_and_mouths_open_as_far_as_asked(asked_bundle, pts, tmp_path):
    before, marks = drawn(asked_bundle, tmp_path / "before")
    latents, asked = drawn(asked_bundle, tmp_path / "asked", yaw=12.0)
    assert (latents["person"] == before["person"]).all()
    was, now = posture(marks, IBUG49), posture(asked, IBUG49)
    assert now[:, 0] == pytest.approx(np.full(COUNT, 12), abs=0.1) and np.abs(was[:, 0] - 12).mean() > 8
    assert now[:, 1] == pytest.approx(was[:, 1], abs=2e-3)
    _, both = drawn(asked_bundle, tmp_path / "both", pts=pts, yaw=-12.0, mouth_open=0.12)
    assert posture(both, IBUG49) == pytest.approx(np.tile([-12, 0.12], (COUNT, 1)), abs=0.1)
    assert np.ptp(both, axis=0).max() < 0.01  # of one file


def test_a_pose_moves_a_shape_no_further_than_it_must():
    """Among shapes of one yaw there is none nearer: found by chance, none is."""
    shape = LATENT.split(LATENT.draw(20, 3))["shape"]
    target = BLOCK.posture(shape)
    target[:, 0] += 6
    moved = BLOCK.posed(shape, target)
    assert BLOCK.posture(moved) == pytest.approx(target, abs=0.05)
    random = np.random.default_rng(0)
    for i in range(20):
        others = moved[i] + random.normal(0, 0.05, (4000, moved.shape[1])).astype(np.float32)
        as_posed = np.abs(BLOCK.posture(others) - target[i]) < (0.05, 0.002)
        others = others[as_posed.all(axis=1)]
        assert len(others) > 3
        assert np.linalg.norm(others - shape[i], axis=1).min() > np.linalg.norm(moved[i] - shape[i]) - 0.01


def test_shapes_out_of_reach_are_clipped_and_said(asked_bundle, face, tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr("lmedge.runtime.asked.console.print", said.append)
    stretched = face * (1, 3)
    write_pts(tmp_path / "long.pts", stretched)
    latents, marks = drawn(asked_bundle, tmp_path / "out", pts=tmp_path / "long.pts")
    assert np.abs(latents["shape"]).max() == 1
    wanted = least_squares(stretched, in_pixels(np.array(SPACE.mean).reshape(-1, 2), SIZE, SIZE))
    error = float(nme(marks[:1], wanted[None], IBUG49)[0])
    assert said == [f"{tmp_path}/long.pts lies beyond the faces that this model can be asked for: the nearest ones are "
                    f"NME {error:.1%} from it"]  # fmt: skip
    said.clear()
    _, marks = drawn(asked_bundle, tmp_path / "turned", yaw=85.0)
    reached = float(said[0].rpartition(" ")[2])
    assert said[0].startswith("--yaw 85 is out of reach of this model") and 15 < reached < 60
    assert np.median(posture(marks, IBUG49)[:, 0]) == pytest.approx(reached, abs=1)
    sampler = FaceSampler(asked_bundle)
    own = posture(sampler.landmarks(sampler.latent.draw(512, purpose=Purpose.CONTROLS)), IBUG49)[:, 0]
    assert said[1] == (f"--yaw 85 goes beyond all of 512 faces that this model draws unasked, {own.min():.3g} to "
                       f"{own.max():.3g}: many of these faces will be ruined.")  # fmt: skip
    said.clear()
    drawn(asked_bundle, tmp_path / "own", yaw=float(np.quantile(own, 0.9)))
    assert not said


def test_faces_get_the_landmarks_that_face_mesh_finds_on_a_photo(asked_bundle, lmedge_here, tmp_path):
    from lmedge.annotators.annotator import Picture
    from lmedge.annotators.face_mesh import FaceMesh
    from lmedge.faces.detect import HaarDetector

    photo = drawn_photo(FOUND_LOOKS[0])
    Image.fromarray(photo).save(tmp_path / "me.png")
    done = lmedge_here("sample", asked_bundle, "--like", tmp_path / "me.png", "--count", 3, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    with np.load(tmp_path / "out" / "latents.npz") as file:
        found = SPACE.landmarks(file["shape"])
    # By another route: the box of the cascade with a tenth on each side, and Face Mesh on the whole photo.
    box = HaarDetector().largest(photo)
    with FaceMesh() as mesh:
        points = mesh.find(Picture.of_face(photo), IBUG49)
    inside = (points + 0.5 - (box.x - 0.1 * box.side, box.y - 0.1 * box.side)) / (1.2 * box.side)
    nearest = BLOCK.nearest(inside[None].astype(np.float32))
    assert nme(found * 32, SPACE.landmarks(nearest.shape).repeat(3, axis=0) * 32, IBUG49).max() < 0.05


def test_without_mediapipe_like_is_refused_with_what_brings_it_and_sample_draws(asked_bundle, tmp_path):
    Image.fromarray(drawn_photo(FOUND_LOOKS[0])).save(tmp_path / "me.png")
    code = (
        "import sys; sys.modules['mediapipe'] = None\n"
        "from lmedge.cli import main\n"
        "print('mediapipe' in sys.modules and 'cv2' in sys.modules)\n"
        f"first = main(['sample', {str(asked_bundle)!r}, '--yaw', '5', '--count', '2', '--out', 'plain'])\n"
        "heavy = {'tensorflow', 'keras', 'cv2'} & set(sys.modules)\n"
        f"second = main(['sample', {str(asked_bundle)!r}, '--like', 'me.png', '--out', 'like'])\n"
        "print(first, heavy, second)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-1] == "0 set() 2", done.stderr
    assert "--like me.png: mediapipe is not installed here, which looks for the face; pip install" in done.stderr
    assert done.stderr.rstrip().endswith("or give its landmarks with --pts.")
    assert not (tmp_path / "like").exists()


def test_what_cannot_be_asked_for_is_refused_in_a_sentence(asked_bundle, bundle, pts, tmp_path):
    def refused(sentence, model=asked_bundle, kind=UsageError, finder=None, **options):
        with pytest.raises(kind, match=sentence):
            drawn(model, tmp_path / "out", finder, **options)
        assert not (tmp_path / "out").exists()

    for options in ({"pts": pts}, {"yaw": 10.0}, {"mouth_open": 0.1}, {"like": tmp_path / "me.png"}):
        option = "--" + next(iter(options)).replace("_", "-")
        refused(
            rf"{option}: faces of .* cannot be asked for by landmarks, .* the family relativistic\.$", bundle, **options
        )
    write_pts(tmp_path / "many.pts", np.zeros((68, 2), np.float32))
    refused(r"many.pts has 68 points, and ibug49 49; say with --pts-scheme which they are", pts=tmp_path / "many.pts")
    write_pts(tmp_path / "one.pts", np.ones((49, 2), np.float32))
    refused(r"one.pts: these landmarks are of no face, as they are all in one place", pts=tmp_path / "one.pts")
    refused(r"nothing.pts is not a .pts file", kind=LmedgeError, pts=tmp_path / "nothing.pts")
    refused(r"both say which landmarks; take one", pts=pts, like=tmp_path / "me.png")
    refused(r"--pts-scheme ibug68 says what a .pts file has; name it with --pts", pts_scheme=IBUG68)
    refused(r"me.png: nobody here looks at photos", like=tmp_path / "me.png")


def test_a_photo_without_a_face_is_refused(asked_bundle, lmedge_here, tmp_path):
    Image.new("RGB", (100, 100), "grey").save(tmp_path / "blank.png")
    for name, sentence in (
        ("blank.png", "blank.png cannot be followed: no face found."),
        ("none.png", "none.png is no file; name a photo."),
    ):
        done = lmedge_here("sample", asked_bundle, "--like", tmp_path / name, "--out", tmp_path / "out")
        assert done.returncode and sentence in done.stderr and not (tmp_path / "out").exists()


def test_the_head_of_a_photo_may_be_tilted(face):
    angle = np.radians(40)
    tilted = face @ np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]) * 3 + 40
    assert BLOCK.placed(tilted.astype(np.float32)) == pytest.approx(BLOCK.placed(face), abs=1e-4)
    wanted = least_squares(face, in_pixels(np.array(SPACE.mean).reshape(-1, 2), SIZE, SIZE))
    assert in_pixels(BLOCK.placed(face), SIZE, SIZE) == pytest.approx(wanted, abs=1e-3)
