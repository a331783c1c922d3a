import json
import shutil

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
        ({"size": None}, "has None for 'size'; a dataset made by .* was damaged or edited by hand"),
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
