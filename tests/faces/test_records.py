import json
import re
import shutil
import struct

import numpy as np
import pytest
import tensorflow as tf

from lmedge.errors import LmedgeError
from lmedge.faces.records import FaceDataset
from lmedge.folders import making_folder


def test_random_access_equals_tensorflow_s_own_reader(toys):
    dataset = FaceDataset(toys)
    stored = []
    for raw in tf.data.TFRecordDataset([str(path) for path in dataset.shards]):
        example = tf.train.Example.FromString(raw.numpy())
        feature = example.features.feature
        png = tf.io.decode_png(feature["image/encoded"].bytes_list.value[0]).numpy()
        stored.append((png, np.array(feature["landmarks"].float_list.value).reshape(-1, 2)))
    assert len(stored) == len(dataset) == 48
    order = [40, 3, 17]
    faces = dataset.read(order)
    for i, at in enumerate(order):
        assert (faces["image"][i] == stored[at][0]).all()
        assert faces["landmarks"][i] == pytest.approx(stored[at][1])
        assert dataset.landmarks[at] == pytest.approx(stored[at][1])
        assert dataset.sources[at] == faces["source"][i].decode() == f"toy-{at:07}"


@pytest.fixture
def copy(toys, tmp_path):
    return shutil.copytree(toys, tmp_path / "copy")


def change(folder, **values):
    path = folder / "dataset.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def test_what_is_not_a_dataset_is_refused(tmp_path):
    with pytest.raises(LmedgeError, match="is missing, so this is not a dataset"):
        FaceDataset(tmp_path)
    with pytest.raises(LmedgeError, match="is not a folder"):
        FaceDataset(tmp_path / "none")
    with pytest.raises(KeyboardInterrupt), making_folder(tmp_path / "half", "a dataset", False, resume={}) as folder:
        (folder / "part").touch()
        raise KeyboardInterrupt
    with pytest.raises(LmedgeError, match="half-made dataset; run the command that made it again"):
        FaceDataset(tmp_path / "half")


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"schema": 9}, "has schema 9"),
        ({"size": None}, "has None for 'size', not a whole number; a dataset made by .* was damaged or edited by hand"),
        ({"count": 50}, "holds 48 faces, not the 50"),
        ({"scheme": "ibug12"}, "ibug12"),
        ({"shards": ["../../etc/passwd"]}, "missing or damaged"),
    ],
)
def test_a_wrong_description_is_refused(copy, values, reason):
    change(copy, **values)
    with pytest.raises(LmedgeError, match=reason):
        FaceDataset(copy)


def test_a_cut_or_hostile_shard_is_refused(copy):
    shard = next(copy.glob("*.tfrecord"))
    data = shard.read_bytes()
    shard.write_bytes(data[:-5])
    with pytest.raises(LmedgeError, match="damaged at byte"):
        FaceDataset(copy)
    shard.write_bytes((1 << 62).to_bytes(8, "little") + data[8:])
    with pytest.raises(LmedgeError, match="damaged at byte 0"):
        FaceDataset(copy)


def rewritten(shard, change):
    """The shard with `change(number, features)` made to every example, and checksums that are right."""
    examples = [tf.train.Example.FromString(raw.numpy()) for raw in tf.data.TFRecordDataset(str(shard))]
    with tf.io.TFRecordWriter(str(shard)) as writer:
        for number, example in enumerate(examples):
            change(number, example.features.feature)
            writer.write(example.SerializeToString())


@pytest.mark.parametrize("at", ["a pixel", "a landmark", "the checksum"])
def test_a_flipped_byte_is_said_with_shard_and_record(copy, at):
    shard = next(copy.glob("*.tfrecord"))
    dataset = FaceDataset(copy)
    *_, offset, length = dataset._where[7]
    data = bytearray(shard.read_bytes())
    place = {"a pixel": data.index(b"IDAT", offset) + 90, "a landmark": data.index(b"landmarks", offset) + 40,
             "the checksum": offset + length}[at]  # fmt: skip
    data[place] ^= 0x40
    shard.write_bytes(data)
    for read in (
        lambda: FaceDataset(copy).images([3]),
        lambda: FaceDataset(copy).landmarks,
        FaceDataset(copy).check,
    ):
        with pytest.raises(LmedgeError, match=f"{shard} is damaged: record 7 does not have its checksum"):
            read()


def test_a_record_that_is_no_example_is_said_with_shard_and_record(copy):
    shard = next(copy.glob("*.tfrecord"))
    examples = [bytearray(raw.numpy()) for raw in tf.data.TFRecordDataset(str(shard))]
    png = examples[3].index(b"\x89PNG")
    examples[3][png - 2 : png + 2] = b"\xff" * 4  # a length beyond the end
    with tf.io.TFRecordWriter(str(shard)) as writer:
        for example in examples:
            writer.write(bytes(example))
    for read in (lambda: FaceDataset(copy).images([0]), lambda: FaceDataset(copy).landmarks, FaceDataset(copy).check):
        with pytest.raises(LmedgeError, match=f"{shard}: record 3 is no example"):
            read()


@pytest.mark.parametrize("value", [1e38, float("nan"), -65.0])
def test_landmarks_that_no_face_can_have_are_refused(copy, value):
    def move(number, feature):
        if number == 5:
            feature["landmarks"].float_list.value[9] = value

    shard = next(copy.glob("*.tfrecord"))
    rewritten(shard, move)
    for read in (lambda: FaceDataset(copy).landmarks, lambda: FaceDataset(copy).read([40, 5])):
        with pytest.raises(
            LmedgeError, match=rf"{shard}: record 5 has a landmark at .*{re.escape(f'{value:g}')}, far outside"
        ):
            read()
    FaceDataset(copy).images([40])


@pytest.mark.parametrize("picture", [(20_000, 20_000), (16, 16), None])
def test_a_picture_that_is_none_of_the_dataset_s_is_refused_before_it_is_decoded(copy, picture):
    data = b"no picture"
    if picture:
        data = tf.io.encode_png(np.zeros((16, 16, 3), np.uint8)).numpy()
        data = data[:16] + struct.pack(">II", *picture) + data[24:]

    def change(number, feature):
        if number == 11:
            feature["image/encoded"].bytes_list.value[0] = data

    rewritten(next(copy.glob("*.tfrecord")), change)
    with pytest.raises(LmedgeError, match="record 11 is not a PNG of 32 pixels and 49 landmarks"):
        FaceDataset(copy).images(np.arange(48))


def test_an_example_that_lacks_a_field_is_refused(copy):
    def change(number, feature):
        if number == 2:
            del feature["group"]

    rewritten(next(copy.glob("*.tfrecord")), change)
    with pytest.raises(LmedgeError, match="record 2 is not a PNG"):
        FaceDataset(copy).groups  # noqa: B018
