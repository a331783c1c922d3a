import json
import shutil

import numpy as np
import pytest

from lmedge.annotators.face_mesh import FaceMesh
from lmedge.landmarks import in_pixels, mirrored
from lmedge.latent import uniform
from lmedge.lgen import generated
from lmedge.lgen.generated import generated_faces
from lmedge.run import Run
from lmedge.scheme import IBUG49
from tests.conftest import FOUND_LOOKS, drawn_photo


class Portraits:
    """A generator that shows drawn faces, as the first component of the latent says; the last one shows nothing."""

    input_shape, output_shape = (None, 8), (None, 64, 64, 3)

    def __init__(self):
        self.faces = np.stack(
            [*(drawn_photo(look, 64) for look in FOUND_LOOKS[:3]), np.full((64, 64, 3), 128, np.uint8)]
        )
        self.drawn = 0

    def of(self, z):
        return np.minimum((np.asarray(z)[:, 0] + 1) / 2 * 4, 3).astype(int)

    def __call__(self, z, training=False):
        self.drawn += len(z)
        return self.faces[self.of(z)] / np.float32(127.5) - 1


@pytest.fixture
def run(trained, tmp_path, monkeypatch):
    run = Run(shutil.copytree(trained, tmp_path / "run"))
    monkeypatch.setattr(generated, "weights_hash", lambda network: "portraits")
    return run


def test_points_are_the_mean_of_what_face_mesh_sees_on_a_face_and_in_a_mirror(run, monkeypatch):
    portraits = Portraits()
    monkeypatch.setattr(Run, "generator", lambda run: portraits)
    faces = generated_faces(run, FaceMesh(), IBUG49, 40, 0)
    z = uniform(40, 8, 1 << 40)
    shown = portraits.of(z)
    assert (faces.z == z[shown < 3]).all()
    with FaceMesh() as mesh:
        for number in range(3):
            face = portraits.faces[number]
            plain = mesh.of_face(face, IBUG49)
            other = mirrored(mesh.of_face(np.ascontiguousarray(face[:, ::-1]), IBUG49), 64, IBUG49)
            wanted = (plain + other) / 2
            ours = in_pixels(faces.landmarks[shown[shown < 3] == number], 64, 64)
            assert ours == pytest.approx(np.broadcast_to(wanted, ours.shape), abs=0.02)


def test_faces_that_were_looked_at_are_not_looked_at_again(run, monkeypatch):
    portraits = Portraits()
    monkeypatch.setattr(Run, "generator", lambda run: portraits)
    monkeypatch.setattr(generated, "PART_FACES", 16)
    first = generated_faces(run, FaceMesh(), IBUG49, 40, 0)
    assert portraits.drawn == 40
    again = generated_faces(run, FaceMesh(), IBUG49, 40, 0)
    assert portraits.drawn == 40 and (again.landmarks == first.landmarks).all()
    fewer = generated_faces(run, FaceMesh(), IBUG49, 20, 0)
    assert portraits.drawn == 40 and (fewer.z == first.z[: len(fewer)]).all() and len(fewer) < 20
    more = generated_faces(run, FaceMesh(), IBUG49, 60, 0)
    assert portraits.drawn == 40 + 16 + 12  # the third part was not whole
    assert (more.z[: len(first)] == first.z).all()
    (run.generated / "part-00001.npz").write_bytes(b"cut")
    assert (generated_faces(run, FaceMesh(), IBUG49, 60, 0).landmarks == more.landmarks).all()
    assert portraits.drawn == 40 + 16 + 12 + 16
    monkeypatch.setattr(generated, "weights_hash", lambda network: "another state")
    generated_faces(run, FaceMesh(), IBUG49, 20, 0)
    assert len(list(run.generated.glob("part-*"))) == 2
    drawn, before = portraits.drawn, json.loads((run.generated / "about.json").read_text())
    monkeypatch.setattr(FaceMesh, "version", "0.11")
    generated_faces(run, FaceMesh(), IBUG49, 20, 0)
    assert portraits.drawn == drawn + 20
    assert json.loads((run.generated / "about.json").read_text()) == {**before, "annotator_version": "0.11"}
