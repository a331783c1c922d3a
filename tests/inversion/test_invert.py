import dataclasses
import json
import re
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf

from lmedge.errors import LmedgeError, UsageError
from lmedge.faces.options import ToyConfig
from lmedge.faces.records import FaceDataset
from lmedge.faces.toy import toy
from lmedge.inversion import recovery
from lmedge.inversion.invert import invert, resolve
from lmedge.inversion.latents import explained, load_latents, psnr
from lmedge.inversion.options import CheckInversionConfig, InvertConfig
from lmedge.inversion.resolve import recorded
from lmedge.inversion.search import Search, usual
from lmedge.landmarks import in_pixels
from lmedge.parts import PartStore
from lmedge.provenance import Provenance
from lmedge.run import Run
from tests.conftest import reordered


@pytest.fixture
def run(trained, tmp_path):
    return Run(shutil.copytree(trained, tmp_path / "run"))


def test_every_face_gets_its_latent_and_its_labels(trained, toys):
    latents, dataset = load_latents(Run(trained)), FaceDataset(toys)
    assert len(latents) == 48 and latents.z.shape == (48, 8) and np.abs(latents.z).max() <= 1
    assert (latents.index == np.arange(48)).all() and (latents.groups == dataset.groups).all()
    assert in_pixels(latents.landmarks, 32, 32) == pytest.approx(dataset.landmarks, abs=1e-4)
    images, real = np.asarray(Run(trained).generator()(latents.z)), dataset.images(range(48)) / np.float32(127.5) - 1
    assert latents.psnr == pytest.approx(psnr(images, real), abs=1e-2)
    assert latents.explained == pytest.approx(explained(images, real), abs=1e-3)
    assert (latents.fits == (latents.explained >= 0.5)).all()


def test_a_killed_inversion_continues_to_the_same_latents(run, toys, monkeypatch, capsys):
    monkeypatch.setattr("lmedge.inversion.invert.PART_FACES", 20)
    config = InvertConfig(run=run.path, faces=toys, steps=4, batch=8, encoder_steps=3, overwrite=True)
    whole = invert(config)
    assert len(list(run.latents.glob("part-*.npz"))) == 3
    kept = (run.latents / "part-00000.npz").stat().st_mtime_ns
    (run.latents / "part-00001.npz").unlink()
    config = dataclasses.replace(config, overwrite=False)
    again = invert(config)
    assert (again.z == whole.z).all() and (again.index == np.arange(48)).all()
    assert f"continuing {run.latents}: 28 of 48 faces are there" in capsys.readouterr().err
    (run.latents / "part-00002.npz").unlink()
    with pytest.raises(LmedgeError, match="holds 40 of 48 faces"):
        load_latents(run)
    (run.latents / "part-00002.npz").write_bytes(b"PK\x03\x04 cut")
    with pytest.raises(LmedgeError, match=r"part-00002.npz is damaged \(.*\); run the same `lmedge invert` again"):
        load_latents(run)
    assert (invert(config).z == whole.z).all()
    assert re.search(r"part-00002.npz is damaged \(.*\) and made again", capsys.readouterr().err)
    assert (run.latents / "part-00000.npz").stat().st_mtime_ns == kept


def test_parts_of_another_size_do_not_fit_and_older_latents_do_not_say_theirs(run, toys, monkeypatch):
    options = {"run": run.path, "faces": toys, "start": "encoder", "steps": 2, "batch": 16, "encoder_steps": 3}
    before, note = load_latents(run), run.latents / "latents.json"
    with monkeypatch.context() as context:
        context.setattr("lmedge.inversion.invert.PART_FACES", 20)
        with pytest.raises(UsageError, match=r"holds latents of another dataset or other options; add --overwrite"):
            invert(InvertConfig(**options))
    about = json.loads(note.read_text())
    note.write_text(json.dumps({name: fact for name, fact in about.items() if name != "part"}))
    assert (load_latents(run).z == before.z).all() and (invert(InvertConfig(**options)).z == before.z).all()
    assert json.loads(note.read_text()) == about and about["part"] == 256


def test_a_part_of_the_faces_is_spread_over_the_dataset(run, toys):
    latents = invert(InvertConfig(run=run.path, faces=toys, steps=1, count=5, start="centre", overwrite=True))
    assert latents.index.tolist() == [0, 12, 24, 35, 47]


def test_latents_know_their_dataset_wherever_it_lies(run, toys, tmp_path):
    """What lay at the same path was taken for the same dataset, and one that was moved for another."""
    options = {"run": run.path, "start": "encoder", "steps": 2, "batch": 16, "encoder_steps": 3}
    place = shutil.copytree(toys, tmp_path / "place")
    before = load_latents(run)
    again = invert(InvertConfig(faces=place, **options))
    assert (again.z == before.z).all() and again.dataset == place
    shutil.rmtree(place)
    reordered(toys, place)
    with pytest.raises(UsageError, match="holds latents of another dataset"):
        invert(InvertConfig(faces=place, **options))


def test_new_latents_replace_old_ones_when_they_are_whole(run, toys, monkeypatch):
    options = {"run": run.path, "faces": toys, "start": "centre", "steps": 1, "overwrite": True}
    monkeypatch.setattr("lmedge.inversion.invert.PART_FACES", 24)
    before, written, write = load_latents(run), [], PartStore.write

    def killed_at_the_second(store, part, arrays):
        if written:
            raise KeyboardInterrupt
        written.append(store.file(part))
        write(store, part, arrays)

    monkeypatch.setattr(PartStore, "write", killed_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        invert(InvertConfig(**options))
    assert (load_latents(run).z == before.z).all()
    first = written[0].stat().st_mtime_ns
    monkeypatch.setattr(PartStore, "write", write)
    after = invert(InvertConfig(**options))
    assert (after.z != before.z).any() and len(after) == 48
    assert (run.latents / written[0].name).stat().st_mtime_ns == first


@pytest.mark.parametrize(
    ("arrays", "reason"),
    [
        ({}, "lacks 'z'"),
        ({"psnr": np.zeros(3, np.float32)}, "another shape"),
        ({"index": np.zeros(48)}, "another shape"),
    ],
)
def test_damaged_latents_are_named(run, arrays, reason):
    path = run.latents / "part-00000.npz"
    with np.load(path) as file:
        whole = dict(file)
    np.savez(path, **({**whole, **arrays} if arrays else {}))
    with pytest.raises(
        LmedgeError, match=rf"part-00000.npz is damaged \(.*{reason}.*; run the same `lmedge invert` again"
    ):
        load_latents(run)


def test_figures_of_a_face_are_tensorflow_s_and_numpy_s():
    random = np.random.default_rng(0)
    a, b = (random.uniform(-1, 1, (3, 8, 8, 3)).astype(np.float32) for _ in range(2))
    assert psnr(a, b) == pytest.approx(tf.image.psnr(a, b, max_val=2.0).numpy(), abs=1e-3)
    assert psnr(2 * np.ones((1, 2, 2, 3)), np.ones((1, 2, 2, 3))) > 100  # clipped first
    half = b.mean(axis=(1, 2), keepdims=True) / 2 + b / 2
    assert explained(half, b) == pytest.approx(0.75, abs=1e-4) and explained(b, b) == pytest.approx(1)
    assert explained(np.broadcast_to(b.mean(axis=(1, 2), keepdims=True), b.shape), b) == pytest.approx(0, abs=1e-4)


def test_latents_of_other_options_or_another_generator_are_refused(run, toys):
    with pytest.raises(UsageError, match=r"other options; add --overwrite"):
        invert(InvertConfig(run=run.path, faces=toys, steps=3, batch=16, encoder_steps=3))
    generator = run.generator()
    generator.set_weights([weight * 2 for weight in generator.get_weights()])
    generator.save(run.generator_file)
    with pytest.raises(LmedgeError, match="another state of the generator"):
        load_latents(run)
    with pytest.raises(UsageError, match="another state of the generator"):
        invert(InvertConfig(run=run.path, faces=toys, steps=2, batch=16, encoder_steps=3))


def test_what_does_not_fit_the_run_is_refused(run, toys, tmp_path):
    toy(ToyConfig(out=tmp_path / "large", count=4, size=64, workers=1))
    with pytest.raises(UsageError, match="faces of 64 pixels and the generator of .* draws 32"):
        invert(InvertConfig(run=run.path, faces=tmp_path / "large"))
    toy(ToyConfig(out=tmp_path / "other", count=4, workers=1, scheme="ibug68"))
    with pytest.raises(UsageError, match="has ibug68 landmarks and .* began with ibug49"):
        invert(InvertConfig(run=run.path, faces=tmp_path / "other"))
    with pytest.raises(UsageError, match="--steps must be between 1 and 10000000, not"):
        invert(InvertConfig(run=run.path, faces=toys, steps=0))
    with pytest.raises(UsageError, match="--background must be between 0 and 1, not 2"):
        invert(InvertConfig(run=run.path, faces=toys, background=2))
    (tmp_path / "me.jpg").touch()
    with pytest.raises(UsageError, match=rf"me.jpg is a file, .*; `lmedge invert-photo {run.path} {tmp_path}/me.jpg`"):
        invert(InvertConfig(run=run.path, faces=tmp_path / "me.jpg"))
    run.generator_file.unlink()
    with pytest.raises(LmedgeError, match=r"has no generator.keras; run `lmedge train-gan` first"):
        invert(InvertConfig(run=run.path, faces=toys))
    run.generator_file.write_bytes(b"not a network")
    with pytest.raises(LmedgeError, match="cannot be read"):
        invert(InvertConfig(run=run.path, faces=toys))


def test_faces_that_another_annotator_has_seen_are_not_inverted(run, toys, tmp_path):
    """Their landmarks would be learnt beside the run's own. What an L-Gen says counts as whose landmarks it learnt."""
    before = {path.name: path.read_bytes() for path in run.latents.iterdir()}

    def refused(began, shown, sentence):
        run.record("train-gan", run.config()["stages"]["train-gan"], dataset={"provenance": began.to_json()})
        faces = shutil.copytree(toys, tmp_path / "faces", dirs_exist_ok=True)
        about = json.loads((toys / "dataset.json").read_text())
        (faces / "dataset.json").write_text(json.dumps({**about, "provenance": shown.to_json()}))
        with pytest.raises(UsageError, match=sentence):
            invert(InvertConfig(run=run.path, faces=faces, start="centre", steps=1, overwrite=True))
        assert {path.name: path.read_bytes() for path in run.latents.iterdir()} == before

    drawn, placed = Provenance("drawn", "1"), Provenance("pts", "1")
    refused(drawn, placed, r"faces has landmarks of pts 1 and .* began with those of drawn 1; name faces with the same")
    refused(
        drawn.by_lgen("7"), placed.by_lgen("8"), r"of lgen 8 \(learnt from pts 1\) and .*lgen 7 \(learnt from drawn"
    )


def test_a_generator_with_code_in_it_is_not_run(run, toys, tmp_path):
    z = keras.Input((8,))
    image = keras.layers.Reshape((1, 1, 3))(keras.layers.Lambda(lambda x: x[:, :3])(z))
    keras.Model(z, image).save(run.generator_file)
    with pytest.raises(LmedgeError, match="cannot be read"):
        run.generator()


def test_a_run_without_latents_says_what_to_run(run):
    shutil.rmtree(run.latents)
    with pytest.raises(LmedgeError, match="run `lmedge invert"):
        load_latents(run)


def test_config_json_holds_every_stage(trained):
    config = json.loads((trained / "config.json").read_text())
    assert list(config["stages"])[:3] == ["train-gan", "invert", "train-lgen"]
    assert config["stages"]["invert"]["steps"] == 2 and config["seed"] == 0
    assert {"lmedge", "tensorflow", "keras"} <= set(config["versions"])


def test_few_faces_start_from_the_centre_unless_there_is_an_encoder(run, toys):
    assert resolve(InvertConfig(run=run.path, faces=toys)).start == "encoder"
    run.encoder_file.unlink()
    few = resolve(InvertConfig(run=run.path, faces=toys))
    assert few.start == "centre" and few.rounds == 2
    invert(InvertConfig(run=run.path, faces=toys, steps=1, overwrite=True))
    assert not run.encoder_file.exists()
    with pytest.raises(UsageError, match=r"--start encoder: .* has none; `lmedge invert .* DATASET` trains one"):
        recovery.resolve(CheckInversionConfig(run=run.path, start="encoder"))
    assert recovery.resolve(CheckInversionConfig(run=run.path)).start == "centre"
    paper = resolve(InvertConfig(run=run.path, faces=toys, preset="paper"))
    assert (paper.start, paper.steps, paper.background) == ("random", 1000, 1.0)


def test_many_faces_train_an_encoder_first(run, toys, monkeypatch):
    run.encoder_file.unlink()
    monkeypatch.setattr("lmedge.inversion.invert.FEW_FACES", 40)
    invert(InvertConfig(run=run.path, faces=toys, steps=1, encoder_steps=2, overwrite=True))
    assert run.encoder_file.exists() and run.stage("invert", InvertConfig)["start"] == "encoder"


def test_the_search_that_a_run_has_noted_is_read_again_an_older_run_s_too(run):
    """Whose options of a photo and of a check stood among those of `invert`."""
    noted = {"preset": "fast", "start": "encoder", "steps": 2, "rounds": 1, "background": 0.2, "encoder_steps": 3,
             "batch": 16, "precision": "float32", "seed": 0}  # fmt: skip
    run.record("invert", {"run": "r", "faces": "f", "count": None, "self_test": 0, "out": None, **noted})
    assert recorded(run) == Search(steps=2, start="encoder", encoder_steps=3, batch=16)
    run.record("invert", {})
    assert recorded(run) == usual("fast", "encoder")
