import csv
import json
import tarfile

import numpy as np
import pytest
from pycocotools.coco import COCO

from lmedge.datasets.formats import FORMATS
from lmedge.datasets.formats.webdataset import WebDataset
from lmedge.errors import LmedgeError, UsageError
from lmedge.faces.records import FaceDataset
from lmedge.gan.families.began.options import BeganConfig
from lmedge.landmarks import mirrored
from lmedge.latent import uniform
from lmedge.run import Run
from lmedge.runtime import FaceSampler
from lmedge.scheme import IBUG49
from tests.datasets import COUNT, SEED, contents, made, read_pts

pytestmark = pytest.mark.usefixtures("small_parts")


@pytest.mark.parametrize("name", ["csv", "webdataset"])
def test_the_same_seed_gives_the_same_bytes_with_any_number_of_workers(bundle, tmp_path, name):
    for out, workers in (("a", 1), ("b", 3)):
        made(bundle, tmp_path / out, name, workers=workers, mirror=True)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_a_mirror_image_follows_its_face(bundle, faces, tmp_path):
    made(bundle, tmp_path / "out", "pts", mirror=True)
    found = list(read_pts(tmp_path / "out"))
    for i in range(0, COUNT, 2):
        (image, points), (other, marks) = found[i : i + 2]
        assert (image == faces.images[i // 2]).all() and (other == image[:, ::-1]).all()
        assert marks == pytest.approx(mirrored(points, 32, IBUG49), abs=1e-3)


def test_a_tfrecord_set_is_a_dataset_to_train_on(bundle, tmp_path):
    from lmedge.gan.train import train_gan

    made(bundle, tmp_path / "set", "tfrecord", mirror=True)
    dataset = FaceDataset(tmp_path / "set")
    assert len(dataset) == COUNT and dataset.about["synthetic"] and dataset.provenance.licence == "CC0-1.0"
    assert dataset.groups[0] == dataset.groups[1] != dataset.groups[2]
    assert dataset.sources[1] == "seed 3, latent 0, mirrored"
    config = BeganConfig(dataset=tmp_path / "set", run=tmp_path / "run", preset="toy32", width=4, latent=8,
                              batch=4, kimg=0.008, precision="float32")  # fmt: skip
    assert train_gan(config).kimg == pytest.approx(0.008)


def test_only_wanted_faces_are_kept_and_the_share_is_told(bundle, tmp_path):
    result = made(bundle, tmp_path / "out", "csv", min_confidence=0.5)
    sampler = FaceSampler(bundle)
    many = sampler.sample(400, SEED)
    wanted = np.flatnonzero(many.confidence >= 0.5)[:COUNT]
    rows = list(csv.DictReader((tmp_path / "out" / "landmarks.csv").read_text().splitlines()))
    assert [int(row["latent"]) for row in rows] == wanted.tolist()
    assert result.drawn == wanted[-1] + 1
    about = json.loads((tmp_path / "out" / "card.json").read_text())
    assert about["rejected"] == pytest.approx(1 - COUNT / result.drawn)
    assert f"differ {about['variety']:.2f} times as much as two random ones" in (tmp_path / "out/README.md").read_text()


@pytest.mark.parametrize(("least", "options"), [(0.1, {}), (0.4, {"min_point_confidence": 0.4, "mirror": True})])
def test_unsure_points_are_hidden(bundle, faces, tmp_path, least, options):
    made(bundle, tmp_path / "out", "coco", **options)
    coco = COCO(str(tmp_path / "out" / "annotations.json"))
    for number, mark in enumerate(coco.loadAnns(sorted(coco.getAnnIds()))):
        face, mirror = divmod(number, 2) if "mirror" in options else (number, False)
        sure = faces.point_confidence[face][list(IBUG49.mirror) if mirror else slice(None)]
        assert mark["keypoint_confidence"] == pytest.approx(sure, abs=1e-4)
        points = np.array(mark["keypoints"]).reshape(-1, 3)
        inside = ((points[:, :2] >= -0.5) & (points[:, :2] <= 31.5)).all(axis=1)
        assert points[:, 2].tolist() == np.where(inside & (sure >= least), 2, 1).tolist()
        assert mark["num_keypoints"] == 49
    assert 0 < (faces.point_confidence < least).mean() < 0.6


@pytest.mark.parametrize("name", ["pts", "csv", "webdataset"])
def test_the_confidence_of_every_point_stands_where_the_format_has_a_place(bundle, faces, tmp_path, name):
    out = tmp_path / "out"
    made(bundle, out, name)
    if name == "webdataset":
        shards = [tarfile.open(path) for path in sorted(out.glob("*.tar"))]  # noqa: SIM115
        found = [json.load(shard.extractfile(member))["point_confidence"] for shard in shards for member in shard
                 if member.name.endswith("json")]  # fmt: skip
        for shard in shards:
            shard.close()
    else:
        table = out / ("landmarks.csv" if name == "csv" else "confidence.csv")
        rows = list(csv.DictReader(table.read_text().splitlines()))
        found = [[float(row[f"{point}_confidence"]) for point in IBUG49.names] for row in rows]
        assert [float(row["confidence"]) for row in rows] == pytest.approx(faces.confidence, abs=1e-4)
    assert np.array(found) == pytest.approx(faces.point_confidence, abs=1e-4)


def test_a_model_without_confidence_hides_no_point(asked_bundle, tmp_path):
    with pytest.raises(UsageError, match=r"--min-point-confidence 0.3: the model gives no confidence of points; train"):
        made(asked_bundle, tmp_path / "out", "coco", min_point_confidence=0.3)
    made(asked_bundle, tmp_path / "out", "coco", count=2)
    marks = json.loads((tmp_path / "out" / "annotations.json").read_text())["annotations"]
    assert "keypoint_confidence" not in marks[0]


def test_truncation_draws_latents_together(bundle, tmp_path):
    made(bundle, tmp_path / "out", "pts", truncation=0.5)
    wanted = FaceSampler(bundle).render(uniform(COUNT, 8, SEED) * np.float32(0.5))
    found = list(read_pts(tmp_path / "out"))
    assert (found[7][0] == wanted.images[7]).all() and found[7][1] == pytest.approx(wanted.landmarks[7], abs=1e-3)


def test_a_run_draws_what_keras_draws(trained, tmp_path):
    made(trained, tmp_path / "out", "pts")
    wanted = Run(trained).face_model().render(uniform(COUNT, 8, SEED))
    image, points = list(read_pts(tmp_path / "out"))[11]
    assert np.abs(image.astype(int) - wanted.images[11]).max() <= 1  # in another batch sums differ in their last bits
    assert points == pytest.approx(wanted.landmarks[11], abs=1e-3)
    assert "Keras in float32" in (tmp_path / "out" / "README.md").read_text()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"count": 0}, "--count must be at least 1, not 0"),
        ({"count": 10**9}, r"--count 1000000000 needs about \d+\.\d GiB and the disk of .* has \d+\.\d \wiB free"),
        ({"format_": "cocoo"}, "--format cocoo: unknown; did you mean coco?"),
        ({"format_": "x"}, "--format x: unknown; take one of pts, coco"),
        ({"yaw": (30.0, 10.0)}, "--yaw 30 10: the lower end comes first"),
        ({"yaw": (0.0, 120.0)}, "--yaw must be between -90 and 90, not 120"),
        ({"mouth_open": (-1.0, 1.0)}, "--mouth-open must be between 0 and 2, not -1"),
        ({"truncation": 0.0}, "--truncation must be between 0.01 and 1, not 0"),
        ({"min_confidence": 2.0}, "--min-confidence must be between 0 and 1, not 2"),
        ({"min_point_confidence": -1.0}, "--min-point-confidence must be between 0 and 1, not -1"),
        ({"min_point_confidence": 0.3}, "--format pts cannot say that a point is hidden; take coco"),
        ({"variant": "int4"}, "--variant int4"),
    ],
)
def test_a_wrong_call_is_refused_before_anything_is_written(bundle, tmp_path, options, sentence):
    with pytest.raises(UsageError, match=sentence):
        made(bundle, tmp_path / "out", **{"format_": "pts", **options})
    assert not (tmp_path / "out").exists()


def test_ranges_that_nothing_satisfies_end_with_what_was_seen(bundle, tmp_path, monkeypatch):
    monkeypatch.setattr("lmedge.runtime.selection.HOPELESS", 64)
    with pytest.raises(
        LmedgeError, match=r"--yaw 80 85: 0 of \d+ faces reach it; seen were --yaw -?\d+.* ask for less"
    ):
        made(bundle, tmp_path / "out", "pts", yaw=(80.0, 85.0))
    assert not (tmp_path / "out").exists()


def test_a_small_disk_is_refused_with_the_space_it_needs(bundle, small_disk, lmedge):
    done = lmedge("synthesize", bundle, "--count", 100000, "--out", small_disk / "faces")
    assert done.returncode == 2 and "needs about" in done.stderr and "MiB free; take fewer faces" in done.stderr
    assert not list(small_disk.iterdir())


def test_memory_does_not_grow_with_the_count(bundle, tmp_path):
    """Labels wait on the disk: what is held at a time is a part and a few chunks."""
    held = []
    writing = WebDataset.part

    class Watched(WebDataset):
        def part(self, out, first, samples, shape):
            held.append(len(samples))
            writing(self, out, first, samples, shape)

    FORMATS["watched"] = Watched()
    try:
        made(bundle, tmp_path / "out", "watched", count=100)
    finally:
        del FORMATS["watched"]
    assert held == [16] * 6 + [4]
    with tarfile.open(tmp_path / "out" / "faces-000006.tar") as tar:
        assert tar.getnames()[:2] == ["000096.png", "000096.json"]
