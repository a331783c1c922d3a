import csv
import importlib.util
import json
import tarfile

import keras
import numpy as np
import pytest
import tensorflow as tf

from lmedge.datasets.formats import FORMATS
from lmedge.errors import UsageError
from lmedge.manifest import MANIFEST
from lmedge.scheme import IBUG49, Scheme
from tests.datasets import COUNT, made, picture, read_pts
from tests.showing import SIZE

pytestmark = pytest.mark.usefixtures("small_parts")


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
    drawn = {"annotator": "drawn", "annotator_version": "1", "crop": {}, "licence": "CC0-1.0"}
    assert about["provenance"] == {**drawn, "annotator": "lgen", "annotator_version": about["version"], "learnt": drawn}
    text = (out / "README.md").read_text()
    assert f"given by | lgen {about['version']} (learnt from drawn 1) |" in text
    assert "CC0-1.0" in text and "`--seed 3`" in text and "tiny" not in text
    assert picture(out / "card" / "contact.png").shape[1] == 8 * 130 - 2
    assert [path.name for path in out.rglob("*") if path.name.startswith(".")] == [MANIFEST]


def coco_attributes(out):
    return [each["attributes"] for each in json.loads((out / "annotations.json").read_text())["annotations"]]


def csv_attributes(out, name="landmarks.csv"):
    with (out / name).open() as file:
        return list(csv.DictReader(file))


def webdataset_attributes(out):
    found = []
    for path in sorted(out.glob("*.tar")):
        with tarfile.open(path) as tar:
            found += [json.load(tar.extractfile(name))["attributes"] for name in tar.getnames() if "json" in name]
    return found


def tfrecord_attributes(out):
    names = json.loads((out / "dataset.json").read_text())["attributes"]["names"]
    spec = {"attributes": tf.io.FixedLenFeature([len(names)], tf.float32)}
    examples = tf.data.TFRecordDataset(sorted(map(str, out.glob("*.tfrecord"))))
    read = [tf.io.parse_single_example(example, spec)["attributes"].numpy() for example in examples]
    return [dict(zip(names, values, strict=True)) for values in read]


def beside(out):
    return csv_attributes(out, "attributes.csv")


ATTRIBUTES = {"pts": beside, "coco": coco_attributes, "csv": csv_attributes, "tfrecord": tfrecord_attributes,
              "webdataset": webdataset_attributes, "facesynthetics": beside}  # fmt: skip


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_stores_what_a_network_says_of_each_face(bundle, faces, attribute_network, tmp_path, name):
    out = tmp_path / "out"
    made(bundle, out, name, attributes=attribute_network)
    network = keras.models.load_model(attribute_network / "attributes.keras")
    small = tf.image.resize(faces.images.astype(np.float32) / 127.5 - 1, (SIZE, SIZE))
    wanted = 2 * np.asarray(network(small)) - 1
    found = ATTRIBUTES[name](out)
    assert np.array([[float(face["Lit"]), float(face["Blue"])] for face in found]) == pytest.approx(wanted, abs=1e-4)
    assert len(found) == COUNT and (out / "attributes.csv").exists() == (name in ("pts", "facesynthetics"))
    assert len(list(READERS[name](out))) == COUNT  # its reader finds the faces as before
    assert "| attributes, -1 to 1 | Lit (" in (out / "README.md").read_text()
    rows = picture(out / "card" / "attributes.png")[:, -6 * 32 :].reshape(-1, 6, 32, 3)[:32]
    assert (rows.swapaxes(0, 1)[-1] == faces.images[wanted[:, 0].argmax()]).all()  # the most lit one ends the first row


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
