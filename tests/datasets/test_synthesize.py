import csv
import importlib.util
import json
import tarfile

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from lmedge.datasets import synthesize
from lmedge.datasets.formats import FORMATS
from lmedge.datasets.formats.coco import Coco
from lmedge.datasets.formats.webdataset import WebDataset
from lmedge.datasets.options import SynthesizeConfig
from lmedge.errors import LmedgeError, UsageError
from lmedge.faces.records import FaceDataset
from lmedge.folders import MANIFEST
from lmedge.gan.families.began.options import BeganConfig
from lmedge.landmarks import mirrored
from lmedge.latent import uniform
from lmedge.run import Run
from lmedge.runtime import FaceSampler
from lmedge.scheme import IBUG49, Scheme

COUNT, SEED = 40, 3


@pytest.fixture(scope="module")
def faces(bundle):
    """What every format must hold."""
    return FaceSampler(bundle).sample(COUNT, SEED)


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    """Several parts a set."""
    monkeypatch.setattr("lmedge.datasets.formats.format.PART_FACES", 16)
    monkeypatch.setattr(synthesize, "PART_FACES", 16)


def made(bundle, out, format_, **options):
    options = {"count": COUNT, "seed": SEED, "workers": 1, **options}
    return synthesize.synthesize(SynthesizeConfig(source=bundle, out=out, format=format_, **options))


def picture(path):
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def read_pts(out):
    """A reader that knows nothing of lmedge: what stands between the braces, 1-based."""
    for path in sorted(out.glob("*.pts")):
        lines = path.read_text().splitlines()
        inside = lines[lines.index("{") + 1 : lines.index("}")]
        assert f"n_points: {len(inside)}" in lines
        yield picture(path.with_suffix(".png")), np.array([line.split() for line in inside], float) - 1


def read_coco(out):
    from pycocotools.coco import COCO

    coco = COCO(str(out / "annotations.json"))
    category = coco.loadCats(coco.getCatIds())[0]
    assert category["keypoints"] == list(IBUG49.names)
    pairs = dict(map(tuple, category["flip_pairs"]))
    assert all(IBUG49.mirror[a] == b for a, b in pairs.items())
    assert len(pairs) == sum(i != j for i, j in enumerate(IBUG49.mirror)) / 2
    assert all(1 <= i <= 49 for edge in category["skeleton"] for i in edge)
    for image in coco.loadImgs(sorted(coco.getImgIds())):
        (mark,) = coco.loadAnns(coco.getAnnIds(image["id"]))
        points = np.array(mark["keypoints"], float).reshape(-1, 3)
        assert set(points[:, 2]) <= {1, 2} and mark["num_keypoints"] == 49
        x, y, w, h = mark["bbox"]
        assert (x, y, x + w, y + h) == pytest.approx((*points[:, :2].min(0), *points[:, :2].max(0)), abs=1e-3)
        yield picture(out / "images" / image["file_name"]), points[:, :2]


def read_csv(out):
    with (out / "landmarks.csv").open() as file:
        for row in csv.DictReader(file):
            points = [[float(row[f"{name}_{axis}"]) for axis in "xy"] for name in IBUG49.names]
            yield picture(out / row["file"]), np.array(points)


def read_webdataset(out):
    from webdataset import autodecode, tariterators

    decode = autodecode.Decoder([autodecode.imagehandler("rgb8")])
    for path in sorted(out.glob("*.tar")):
        with path.open("rb") as stream:  # opened here, as webdataset leaves it open
            members = tariterators.tar_file_expander([{"url": path.name, "stream": stream}])
            for sample in map(decode, tariterators.group_by_keys(members)):
                yield sample["png"], np.array(sample["json"]["landmarks"])


def read_tfrecord(out):
    spec = {"image/encoded": tf.io.FixedLenFeature([], tf.string), "landmarks": tf.io.FixedLenFeature([98], tf.float32)}
    for example in tf.data.TFRecordDataset(sorted(map(str, out.glob("*.tfrecord")))):
        fields = tf.io.parse_single_example(example, spec)
        yield tf.io.decode_png(fields["image/encoded"]).numpy(), fields["landmarks"].numpy().reshape(49, 2)


def read_facesynthetics(out):
    for path in sorted(out.glob("*_ldmks.txt")):
        yield picture(out / path.name.replace("_ldmks.txt", ".png")), np.loadtxt(path)


READERS = {"pts": read_pts, "coco": read_coco, "csv": read_csv, "tfrecord": read_tfrecord,
           "webdataset": read_webdataset, "facesynthetics": read_facesynthetics}  # fmt: skip


@pytest.mark.parametrize("name", FORMATS)
def test_another_reader_finds_the_same_faces(bundle, faces, tmp_path, name):
    out = tmp_path / "out"
    result = made(bundle, out, name)
    found = list(READERS[name](out))
    assert len(found) == COUNT == result.count == result.drawn
    for (image, points), wanted, marks in zip(found, faces.images, faces.landmarks, strict=True):
        assert (image == wanted).all()
        assert points == pytest.approx(marks, abs=1e-3)
    about = json.loads((out / "card.json").read_text())
    assert Scheme.from_json(about["scheme"], "card.json") == IBUG49
    assert about["synthetic"] is True and about["licence"] == "CC0-1.0" and about["rejected"] == 0
    text = (out / "README.md").read_text()
    assert "CC0-1.0" in text and "`--seed 3`" in text and "tiny" not in text
    assert picture(out / "card" / "contact.png").shape[1] == 8 * 130 - 2
    assert [path.name for path in out.rglob("*") if path.name.startswith(".")] == [MANIFEST]


@pytest.mark.parametrize("name", ["csv", "webdataset"])
def test_the_same_seed_gives_the_same_bytes_with_any_number_of_workers(bundle, tmp_path, name):
    for out, workers in (("a", 1), ("b", 3)):
        made(bundle, tmp_path / out, name, workers=workers, mirror=True)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def contents(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_a_set_that_was_stopped_is_continued(bundle, tmp_path, monkeypatch):
    options = {"min_confidence": 0.4, "mirror": True}
    made(bundle, tmp_path / "whole", "coco", **options)
    writing = Coco.part

    def stopped(self, out, first, samples, shape):
        if first == 32:
            raise KeyboardInterrupt
        writing(self, out, first, samples, shape)

    monkeypatch.setattr(Coco, "part", stopped)
    with pytest.raises(KeyboardInterrupt):
        made(bundle, tmp_path / "stopped", "coco", **options)
    monkeypatch.setattr(Coco, "part", writing)
    assert not (tmp_path / "stopped").exists()
    with pytest.raises(UsageError, match="half made with other options"):
        made(bundle, tmp_path / "stopped", "coco", **options, truncation=0.5)
    made(bundle, tmp_path / "stopped", "coco", **options)
    assert contents(tmp_path / "stopped") == contents(tmp_path / "whole")
    with pytest.raises(UsageError, match="add --overwrite"):
        made(bundle, tmp_path / "whole", "coco", **options)


def test_a_format_that_needs_more_is_refused_before_anything_is_written(bundle, tmp_path, monkeypatch):
    from lmedge.about.doctor import doctor

    there = importlib.util.find_spec
    hidden = {"cv2", "tensorflow"}
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name in hidden else there(name))
    with pytest.raises(
        UsageError, match=r"--format tfrecord: needs tensorflow and cv2, not .*train.*or take one of pts, coco"
    ):
        made(bundle, tmp_path / "out", "tfrecord")
    assert not (tmp_path / "out").exists()
    made(bundle, tmp_path / "out", "csv", count=3)
    monkeypatch.setattr("lmedge.about.doctor._try", lambda _: None)
    monkeypatch.setattr("lmedge.about.doctor._gpus", lambda: "none")
    said = doctor({})
    assert [line for line in said if line.startswith("  tfrecord") and "missing tensorflow, cv2" in line]
    assert [line.split() for line in said if line.startswith("  webdataset")] == [["webdataset", "ready"]]


def test_a_set_goes_on_with_other_versions_of_packages(bundle, tmp_path, monkeypatch):
    writing = Coco.part

    def stopped(self, out, first, samples, shape):
        if first == 32:
            raise KeyboardInterrupt
        writing(self, out, first, samples, shape)

    monkeypatch.setattr(Coco, "part", stopped)
    with pytest.raises(KeyboardInterrupt):
        made(bundle, tmp_path / "out", "coco")
    monkeypatch.setattr(Coco, "part", writing)
    monkeypatch.setattr(synthesize, "versions", lambda *names: dict.fromkeys(names, "99.0"))
    assert made(bundle, tmp_path / "out", "coco").count == COUNT
    assert json.loads((tmp_path / "out" / "card.json").read_text())["versions"]["fpng"] == "99.0"


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


def test_killed_and_started_again(bundle, tmp_path, lmedge):
    from tests.test_kill import kill_when

    def args(name):
        return ("synthesize", bundle, "--count", 9000, "--format", "webdataset", "--out", tmp_path / name)

    whole = tmp_path / "killed" / "faces-000000.tar"
    assert kill_when(args("killed"), lambda: list(tmp_path.rglob("faces-000001.tar")))
    assert not whole.parent.exists()
    before = next(tmp_path.rglob(whole.name)).stat().st_mtime_ns
    for name in ("killed", "whole"):
        done = lmedge(*args(name))
        assert done.returncode == 0, done.stderr
    assert whole.stat().st_mtime_ns == before
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")
