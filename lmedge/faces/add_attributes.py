"""The `add-attributes` stage: the faces of a dataset, and what a file says that they show."""

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from lmedge.faces.about import DATASET_FILE
from lmedge.faces.assembly import FILES, Assembled
from lmedge.faces.attributes import counted, read_attributes
from lmedge.faces.options import AddAttributesConfig
from lmedge.faces.records import FaceDataset, attributes_feature
from lmedge.folders import making_folder
from lmedge.progress import progress
from lmedge.storage import write_bytes, write_json

COPIED = ("rejected.csv", "contact.png")


def add_attributes(config: AddAttributesConfig) -> Assembled:
    """Copies a dataset and gives it attributes; see AddAttributesConfig. Raises UsageError for a file that names none
    of its photos and for a folder of something else, LmedgeError for a file or dataset that cannot be read."""
    table = read_attributes(config.attributes, "FILE ")
    dataset = FaceDataset(config.faces)
    photos = dataset.sources.tolist()
    table.refuse_strangers(photos)
    values = np.array([table.of(photo) for photo in photos], np.float32)
    with making_folder(config.out, "a dataset", config.overwrite, names=FILES) as folder:
        with progress("add-attributes", len(dataset), "faces") as advance:
            for number, shard in enumerate(dataset.shards):
                faces = dataset.of_shard(number)
                with tf.io.TFRecordWriter(str(folder / shard.name)) as writer:
                    for example, shown in zip(dataset.serialized(faces), values[faces], strict=True):
                        writer.write(_labelled(example, shown))
                advance(len(faces))
        for file in COPIED:
            if (config.faces / file).is_file():
                write_bytes(folder / file, (config.faces / file).read_bytes())
        facts = {**dataset.about, "attributes": {**table.facts(), **counted(values)}}
        write_json(folder / DATASET_FILE, facts)
        # The checksums of the records are others now, their faces the same: the dataset goes by its old digest.
        facts["same_faces"] = {FaceDataset(folder).digest: dataset.digest}
        write_json(folder / DATASET_FILE, facts)
    return Assembled(config.out, len(dataset), {}, 0.0)


def _labelled(example: bytes, values: NDArray[np.float32]) -> bytes:
    """A stored example with these attributes in place of those that it may have."""
    face = tf.train.Example.FromString(example)
    face.features.feature["attributes"].CopyFrom(attributes_feature(values))
    return face.SerializeToString(deterministic=True)
