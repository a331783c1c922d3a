import dataclasses
import shutil

import numpy as np
import pytest

from lmedge.annotators.face_mesh import FaceMesh
from lmedge.annotators.looking import look
from lmedge.errors import LmedgeError, UsageError
from lmedge.faces.cartoon import draw_face
from lmedge.faces.look import random_look
from lmedge.faces.options import ToyConfig
from lmedge.faces.records import FaceDataset
from lmedge.faces.toy import toy
from lmedge.inversion.latents import load_latents
from lmedge.landmarks import in_pixels, nme, normalised
from lmedge.lgen import train as training
from lmedge.lgen.faces import Faces
from lmedge.lgen.generated import VIEWS
from lmedge.lgen.mixing import FEWEST_FACES, style_of
from lmedge.lgen.train import sets_of
from lmedge.run import Run
from lmedge.scheme import IBUG49, IBUG68, converted
from tests.test_executor import Elsewhere


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """150 drawn faces of 64 pixels with exact landmarks; Face Mesh finds about two thirds of them."""
    out = tmp_path_factory.mktemp("mixing") / "drawn"
    toy(ToyConfig(out=out, count=150, size=64, seed=5, workers=1))
    return FaceDataset(out)


@pytest.fixture
def latents(drawn, trained):
    """As if the run of the tests had inverted these faces."""
    count = len(drawn)
    some = {name: np.zeros(count, np.float32) for name in ("psnr", "explained")}
    return dataclasses.replace(
        load_latents(Run(trained)), **some, z=np.zeros((count, 8), np.float32), index=np.arange(count),
        landmarks=normalised(drawn.landmarks, 64, 64), groups=drawn.groups, sources=drawn.sources,
        provenance=drawn.provenance, size=64, dataset=drawn.path, digest=drawn.digest,
    )  # fmt: skip


def test_face_mesh_s_points_come_nearer_to_exact_ones_on_faces_that_were_not_fitted(latents, capsys):
    style = style_of(latents, np.arange(len(latents)), FaceMesh(), VIEWS)
    assert style.faces > 50 and style.after < 0.8 * style.before
    said = " ".join(capsys.readouterr().err.split())
    assert f"landmarks of drawn 1 and generated faces have those of Face Mesh, fitted on {style.faces} photos" in said
    assert f"NME {style.before:.2%} before and {style.after:.2%} after" in said
    fresh = [draw_face(random_look(np.random.default_rng((9, i))), 64) for i in range(60)]
    seen = look(FaceMesh(), np.stack([face for face, _ in fresh]), IBUG49, lambda count: None, VIEWS)
    exact = converted(np.stack([points for _, points in fresh]), IBUG68, IBUG49)[seen.at].astype(np.float32)
    plain, moved = nme(seen.landmarks, exact, IBUG49).mean(), nme(style.moved(seen.landmarks), exact, IBUG49).mean()
    assert len(seen.at) > 20 and moved < 0.85 * plain
    assert moved == pytest.approx(style.after, rel=0.25) and plain == pytest.approx(style.before, rel=0.25)


def test_generated_faces_are_joined_with_drawn_ones_as_fitted(latents, trained, monkeypatch):
    """What sets_of gives for `both` is what it gives for `generated`, moved; only training faces were looked at."""
    marks = normalised(np.random.default_rng(0).uniform(20, 44, (40, 49, 2)).astype(np.float32), 64, 64)
    faces = Faces(np.zeros((40, 8), np.float32), marks, 64, IBUG49)
    monkeypatch.setattr(training, "generated_faces", lambda *_: faces)
    monkeypatch.setattr(training, "refuse_untrained", lambda *_: None)
    shown = []
    monkeypatch.setattr("lmedge.lgen.mixing.look", lambda *args: shown.append(args[1]) or look(*args))
    monkeypatch.setattr("lmedge.annotators.looking.WORTH_A_WORKER", 1)
    elsewhere = Elsewhere()
    sets, style = sets_of(Run(trained), latents, 0.1, 0, 40, executor=elsewhere)
    pixels = in_pixels(marks, 64, 64)
    assert in_pixels(sets["generated"].faces.landmarks, 64, 64) == pytest.approx(style.moved(pixels), abs=1e-3)
    assert np.abs(style.moved(pixels) - pixels).max() > 0.5
    assert len(shown[0]) == len(sets["inverted"].training) == elsewhere.done == 120
    alone, style = sets_of(Run(trained), latents, 0.1, 0, 40, mixed=False)
    assert (alone["generated"].faces.landmarks == marks).all() and style is None


def test_an_untrained_generator_is_refused_before_photos_are_looked_at(latents, trained, monkeypatch):
    photos = []
    monkeypatch.setattr("lmedge.lgen.mixing.look", lambda *args: photos.append(args) or look(*args))
    with pytest.raises(LmedgeError, match=r"^Face Mesh finds a face on \d of 40 generated ones; train the generator"):
        sets_of(Run(trained), latents, 0.1, 0, 40)
    assert not photos and not Run(trained).generated.exists()


def test_what_cannot_be_fitted_is_refused(latents, drawn, tmp_path):
    few = np.arange(FEWEST_FACES - 1)
    with pytest.raises(UsageError, match=r"Face Mesh, which finds a face on \d+ of 19 photos, too few"):
        style_of(latents, few, FaceMesh(), VIEWS)
    gone = dataclasses.replace(latents, dataset=tmp_path / "nowhere")
    with pytest.raises(UsageError, match=r"fitted on its photos only \(.*nowhere is not a folder.*--data inverted"):
        style_of(gone, few, FaceMesh(), VIEWS)
    other = dataclasses.replace(latents, dataset=shutil.copytree(drawn.path, tmp_path / "other"), digest="0")
    with pytest.raises(UsageError, match=r"holds other faces now"):
        style_of(other, few, FaceMesh(), VIEWS)
