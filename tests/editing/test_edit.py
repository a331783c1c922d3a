"""Edits of photos by a generator in which the attribute Lit makes a picture brighter, and Blue nothing."""

import json
import shutil

import keras
import numpy as np
import pytest
from PIL import Image

from lmedge.block import Block
from lmedge.cli import main
from lmedge.editing.edit import moved
from lmedge.editing.stamp import stamped
from lmedge.faces.crop import Cutting
from lmedge.faces.one_photo import face_in
from lmedge.judging.verified import Verified
from lmedge.latent import LatentSpec
from lmedge.mixture import Mixture
from lmedge.run import Run
from tests.at_its_word import PERSON, SHAPE, SIZE, SPACE
from tests.conftest import FOUND_LOOKS, drawn_photo

BRIGHTER = 0.2  # of -1..1, for one more of Lit
# Lit is 0.24 times the first normal number and 0.18 times another; the first of the shape is 0.25 times the first. So
# with one more of Lit goes 0.06 / 0.09 of the shape.
ALONG = 2 / 3
FACTORS = np.diag([0.25] * SHAPE + [0.18, 0.3])
FACTORS[SHAPE, 0] = 0.24
PRIOR = Mixture((1.0,), ((0.0,) * (SHAPE + 2),), (tuple(FACTORS[np.tril_indices(SHAPE + 2)].tolist()),))
LATENT = LatentSpec((
    Block("person", PERSON), Block("shape", SHAPE, "mixture", mixture=PRIOR, shapes=SPACE),
    Block("attributes", 2, "joint", attributes=("Lit", "Blue")),
))  # fmt: skip
LIT = PERSON + SHAPE
SEARCH = ("--start", "centre", "--steps", "2", "--rounds", "1")


def dense_network(size, reshape, kernel, activation=None):
    """A network of one dense layer without a bias."""
    given = keras.Input(size)
    dense = keras.layers.Dense(kernel.shape[1], use_bias=False, activation=activation)
    network = keras.Model(given, keras.layers.Reshape(reshape)(dense(keras.layers.Flatten()(given))))
    dense.set_weights([kernel.astype(np.float32)])
    return network


@pytest.fixture(scope="module")
def run(trained, tmp_path_factory):
    run = Run(shutil.copytree(trained, tmp_path_factory.mktemp("edit") / "run"))
    for file in (run.lgen_file, run.encoder_file, run.confidence_file, run.point_confidence_file):
        file.unlink(missing_ok=True)
    kernel = np.zeros((LATENT.size, SIZE * SIZE * 3))
    kernel[:PERSON] = np.random.default_rng(0).normal(0, 0.05, (PERSON, SIZE * SIZE * 3))
    kernel[LIT] = BRIGHTER
    dense_network((LATENT.size,), (SIZE, SIZE, 3), kernel).save(run.generator_file)
    run.record("train-gan", {}, latent=LATENT.to_json())
    return run


@pytest.fixture(scope="module")
def photo(tmp_path_factory):
    file = tmp_path_factory.mktemp("photos") / "me.png"
    Image.fromarray(drawn_photo(FOUND_LOOKS[0])).save(file)
    return file


@pytest.fixture(scope="module")
def identity(tmp_path_factory):
    """Features that are four sums of pixels."""
    file = tmp_path_factory.mktemp("identity") / "identity.keras"
    dense_network((SIZE, SIZE, 3), (4,), np.random.default_rng(1).normal(size=(SIZE * SIZE * 3, 4))).save(file)
    known = Verified.of(np.linspace(0, 1, 200), np.linspace(0.5, 1.5, 200), 20)
    file.with_suffix(".json").write_text(json.dumps(known.to_json()))
    return file


@pytest.fixture(scope="module")
def labeller(attribute_network, tmp_path_factory):
    """Says that a picture is the more Lit the brighter it is, and never Blue."""
    folder = shutil.copytree(attribute_network, tmp_path_factory.mktemp("labeller") / "attributes")
    kernel = np.stack([np.full(SIZE * SIZE * 3, 1 / (SIZE * SIZE * 3)), np.zeros(SIZE * SIZE * 3)], axis=1)
    dense_network((SIZE, SIZE, 3), (2,), kernel, "sigmoid").save(folder / "attributes.keras")
    return folder


@pytest.fixture
def lgen(run):
    """Takes latents at their word; there for one test."""
    z = keras.Input((LATENT.size,))
    dense = keras.layers.Dense(2 * SPACE.points)
    network = keras.Model(z, keras.layers.Reshape((SPACE.points, 2))(dense(z)))
    kernel = np.zeros((LATENT.size, 2 * SPACE.points), np.float32)
    kernel[PERSON:LIT] = SPACE.axes
    dense.set_weights([kernel, np.array(SPACE.mean, np.float32)])
    network.save(run.lgen_file)
    yield network
    run.lgen_file.unlink()


def cells(file):
    with Image.open(file) as picture:
        assert picture.size == (8 * 128 + 7 * 2, 128)
        return np.stack([np.asarray(picture.crop((130 * i, 0, 130 * i + 128, 128))) for i in range(8)])


def test_landmarks_go_along_with_an_attribute_as_in_what_is_drawn_and_all_else_stays():
    z = LATENT.draw(3, 7)
    z[:, LIT] = (0.4, -0.2, 0)
    z[:, PERSON] = (-0.3, 0.1, 0.9)
    change = moved(LATENT, z, {"Lit": 0.6}) - z
    assert change[:, LIT] == pytest.approx([0.2, 0.8, 0.6])
    assert change[:, PERSON] == pytest.approx([ALONG * 0.2, ALONG * 0.8, 0.1], abs=0.03)  # the third ends at its bound
    assert (change[:, :PERSON] == 0).all() and (change[:, LIT + 1] == 0).all()
    assert np.abs(change[:, PERSON + 1 : LIT]).max() < 0.06


@pytest.fixture(scope="module")
def plain(run, photo):
    out = photo.parent / "plain.png"
    words = ["edit", run.path, photo, "--set", "Lit=1", "--no-mark", *SEARCH, "--out", out]
    assert main(list(map(str, words))) == 0
    return out


def test_a_strip_leads_from_the_photo_to_what_was_asked_for(run, photo, plain):
    told = json.loads(plain.with_suffix(".json").read_text())
    steps = told["steps"]
    asked = np.array([step["asked"]["Lit"] for step in steps])
    assert len(asked) == 7 and asked == pytest.approx(np.linspace(asked[0], 1, 7), abs=2e-3) and asked[0] < 0.9
    assert len({step["asked"]["Blue"] for step in steps}) == 1 and told["set"] == {"Lit": 1}
    moved_by = np.array([step["landmarks_moved"] for step in steps])
    assert moved_by[0] == 0 and (np.diff(moved_by) > 0).all()
    shown = cells(plain).astype(float)
    face = face_in(photo, Cutting.as_of(run.provenance, run.scheme, SIZE), "edited").pixels
    assert shown[0].mean(axis=(0, 1)) == pytest.approx(face.mean(axis=(0, 1)), abs=1)
    lit = shown[1:].mean(axis=(1, 2, 3))
    assert np.diff(lit) == pytest.approx(np.diff(asked) * BRIGHTER * 127.5, rel=0.1)  # but for what is white already
    assert told["identity"] is told["attributes"] is None and told["marked"] is False
    real = shown[0].reshape(32, 4, 32, 4, 3).mean(axis=(1, 3))
    for step, picture in zip(steps, shown[1:].reshape(7, 32, 4, 32, 4, 3).mean(axis=(2, 4)), strict=True):
        assert step["psnr"] == pytest.approx(10 * np.log10(255**2 / ((picture - real) ** 2).mean()), abs=0.5)


@pytest.mark.usefixtures("lgen")
def test_marked_faces_say_so_in_a_corner_and_the_photo_does_not(run, photo, plain, identity, labeller, lmedge_here):
    out = plain.with_name("marked.png")
    given = "--identity", identity, "--attributes", labeller, "--landmarks"
    said = lmedge_here("edit", run.path, photo, "--set", "Lit=1", "Blue=-1", *SEARCH, *given, "--out", out)
    assert said.returncode == 0, said.stderr
    told = json.loads(out.with_suffix(".json").read_text())
    shown = cells(out)
    for i, picture in enumerate(shown):
        unmarked = picture.copy()
        unmarked[-14:, -50:] = 90
        assert (stamped(unmarked) == picture).all() == (i > 0)
    # What the network sees on the photo is held, and what it sees on each step is a sigmoid of how bright that is.
    face = face_in(photo, Cutting.as_of(run.provenance, run.scheme, SIZE), "edited")
    bright = face.pixels.mean() / 127.5 - 1
    assert told["attributes"]["seen_on_photo"]["Lit"] == pytest.approx(2 / (1 + np.exp(-bright)) - 1, abs=0.01)
    first, last = told["steps"][0], told["steps"][-1]
    assert first["asked"]["Lit"] == told["attributes"]["seen_on_photo"]["Lit"] and first["asked"]["Blue"] == 0
    assert last["asked"]["Blue"] == -1 and last["seen"]["Lit"] > first["seen"]["Lit"] and last["seen"]["Blue"] == 0
    # Pairs of one person are spread over 0..1, pairs of two over 0.5..1.5.
    for step in told["steps"]:
        near = step["identity"]
        assert near["one_person_further"] == pytest.approx(max(0, 1 - near["distance"]), abs=0.01)
        assert near["two_persons_nearer"] == pytest.approx(max(0, near["distance"] - 0.5), abs=0.01)
        assert near["verified"] == (near["distance"] <= told["identity"]["threshold"])
    before = json.loads(plain.with_suffix(".json").read_text())["steps"][0]
    assert first["identity"]["distance"] < 0.1 and first["psnr"] > before["psnr"] - 3
    for x, y in (face.landmarks * 4 + 1.5).round().astype(int):  # of the photo, on it
        assert (shown[0][y - 1 : y + 2, x - 1 : x + 2] == [120, 255, 80]).all(axis=-1).any()
    for picture in shown[1:]:
        assert (picture == [120, 255, 80]).all(axis=-1).sum() > 3 * SPACE.points
    assert "Lit: " in said.stdout and "the network sees" in said.stdout and "the photo's person" in said.stdout
    assert f"{out}, {out.with_suffix('.json')}" in said.stdout


def test_the_mark_is_read_at_half_of_its_size():
    white = np.full((128, 128, 3), 255, np.uint8)
    marked = stamped(white)
    half = np.asarray(Image.fromarray(marked).resize((64, 64), Image.Resampling.BOX))
    assert set(np.unique(half)) == {0, 255}  # no pixel of a letter is blurred
    inside = np.argwhere((marked != white).any(axis=-1))
    assert inside.min(axis=0).tolist() == [114, 78] and (marked == white).mean() > 0.96
    rows = ["".join(".#"[pixel // 255] for pixel in row) for row in half[57:64, 39:64, 0]]
    assert rows[1] == ".###.##..###.###.###.##.." and rows[3] == ".##..#.#..#...#..##..#.#."


@pytest.fixture(scope="module")
def others(run, photo, trained, identity, attribute_network, plain):
    """What is named in the refusals below."""
    folder = photo.parent
    Image.new("RGB", (100, 100), "grey").save(folder / "blank.png")
    (folder / "bundle").mkdir()
    (folder / "bundle" / "bundle.json").touch()
    small = folder / "small.keras"
    dense_network((16, 16, 3), (4,), np.ones((16 * 16 * 3, 4))).save(small)
    shutil.copy(identity.with_suffix(".json"), small.with_suffix(".json"))
    flat = folder / "flat.keras"
    dense_network((SIZE,), (4,), np.ones((SIZE, 4))).save(flat)
    shutil.copy(identity.with_suffix(".json"), flat.with_suffix(".json"))
    labels = shutil.copytree(attribute_network, folder / "labels")
    dense_network((16, 16, 3), (2,), np.ones((16 * 16 * 3, 2))).save(labels / "attributes.keras")
    return {
        "run": run.path, "photo": photo, "without": trained, "bundle": folder / "bundle", "blank": folder / "blank.png",
        "small": small, "flat": flat, "labels": labels, "plain": plain, "folder": folder,
    }  # fmt: skip


@pytest.mark.parametrize(("words", "sentence"), [
    ("{run} {photo} --set Hat=1", "--set Hat: faces of {run} cannot be asked for that; take one of Lit, Blue."),
    ("{run} {photo} --set Lit=1.5", "--set 'Lit=1.5': say NAME=VALUE, from -1 (no) to 1 (yes), such as Smiling=1."),
    ("{without} {photo} --set Lit=1", "--set: faces of {without} cannot be asked for by attributes"),
    ("{bundle} {photo} --set Lit=1", "{bundle} is a bundle, whose generator cannot be differentiated; name the run"),
    ("{run} {blank} --set Lit=1", "{blank} cannot be edited: no face found."),
    ("{run} {folder} --set Lit=1", "{folder} is a folder; name a photo"),
    ("{run} {photo} --set Lit=1 --identity {small}", "--identity {small} takes faces of 16 pixels and the generator of "
     "{run} draws 32; take one that was trained on faces of 32 pixels."),
    ("{run} {photo} --set Lit=1 --identity {flat}", "--identity {flat} maps (None, 32) to (None, 4), and not faces"),
    ("{run} {photo} --set Lit=1 --identity gone.keras", "--identity gone.keras: there is no such .keras file"),
    ("{run} {photo} --set Lit=1 --attributes {labels}", "--attributes {labels} takes faces of 16 pixels and the"),
    ("{run} {photo} --set Lit=1 --landmarks", "{run} has no lgen.keras; run `lmedge train-lgen` first."),
    ("{run} {photo} --set Lit=1 --out {plain}", "--out {plain} exists; add --overwrite or name another file."),
    ("{run} {photo} --set Lit=1 --out strip.json", "--out strip.json: take a name that ends in one of .png"),
])  # fmt: skip
def test_what_cannot_be_edited_is_refused_in_a_sentence(words, sentence, others, lmedge_here, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    out = () if "--out" in words else ("--out", "strip.png")
    refused = lmedge_here("edit", *(word.format(**others) for word in words.split()), *SEARCH, *out)
    assert refused.returncode in (1, 2) and sentence.format(**others) in refused.stderr.replace("\n", " ")
    assert refused.stderr.count("\n") == 1 and not list(tmp_path.iterdir())
