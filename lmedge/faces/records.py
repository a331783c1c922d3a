"""The face dataset on disk: TFRecord shards beside a dataset.json, read at random without loading it all."""

import hashlib
import struct
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from lmedge.errors import LmedgeError
from lmedge.faces.photo import Image8
from lmedge.faces.record import Record
from lmedge.folders import half_made, settle
from lmedge.landmarks import Scheme, scheme_named
from lmedge.storage import check_form, read_json, replacing

SCHEMA = 1
DATASET_FILE = "dataset.json"
ABOUT_FORM = {"size": int, "scheme": str, "count": int, "shards": list, "made_by": str}
LARGEST_RECORD = 1 << 22  # bytes; a 256 px PNG and its landmarks stay far below


def shard_name(index: int, count: int) -> str:
    """`faces-00003-of-00049.tfrecord`"""
    return f"faces-{index:05}-of-{count:05}.tfrecord"


def write_shard(path: Path, records: Iterable[Record]) -> int:
    """Writes a shard in one step; returns the number of records."""
    count = 0
    with replacing(path) as beside, tf.io.TFRecordWriter(str(beside)) as writer:
        for record in records:
            features = {
                "image/encoded": _bytes(record.png),
                "landmarks": tf.train.Feature(float_list=tf.train.FloatList(value=record.landmarks.ravel().tolist())),
                "source": _bytes(record.source.encode()),
                "group": _bytes(record.group.encode()),
            }
            example = tf.train.Example(features=tf.train.Features(feature=features))
            writer.write(example.SerializeToString(deterministic=True))
            count += 1
    return count


def _bytes(value: bytes) -> Any:
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))


class FaceDataset:
    """A dataset made by `prepare` or `toy`.

    `digest` tells datasets of other faces apart, wherever they lie.
    `images(indices)` reads any faces; nothing but an index of offsets stays in memory, the page cache does
    the rest. Raises LmedgeError where the folder is not a whole dataset of this version.
    """

    def __init__(self, path: Path):
        self.path = path
        settle(path)
        if not (path / DATASET_FILE).exists() and half_made(path):
            raise LmedgeError(f"{path} is a half-made dataset; run the command that made it again.")
        if not path.is_dir():
            raise LmedgeError(f"{path} is not a folder; name a dataset made by `lmedge prepare` or `toy`.")
        what = "a dataset made by `lmedge prepare` or `toy`"
        self.about = read_json(path / DATASET_FILE, what)
        if self.about.get("schema") != SCHEMA:
            raise LmedgeError(
                f"{path / DATASET_FILE} has schema {self.about.get('schema')!r}, this version reads {SCHEMA}; "
                "make the dataset again."
            )
        check_form(self.about, ABOUT_FORM, str(path / DATASET_FILE), what)
        self.size, self.count = self.about["size"], self.about["count"]
        self.scheme: Scheme = scheme_named(self.about["scheme"])
        self.shards = [path / Path(str(name)).name for name in self.about["shards"]]
        self._maps: dict[int, NDArray[np.uint8]] = {}
        self._where = self._index()

    def __len__(self) -> int:
        return self.count

    def _index(self) -> NDArray[np.int64]:
        """[N, 3]: shard, offset and length of every record, from the framing of TFRecord: length uint64,
        its CRC uint32, data, its CRC uint32, little endian."""
        where = []
        digest = hashlib.sha256(f"{self.size} {self.scheme.name} ".encode())
        for number, path in enumerate(self.shards):
            try:
                size = path.stat().st_size
                with path.open("rb") as file:
                    offset = 0
                    while offset < size:
                        file.seek(offset)
                        (length,) = struct.unpack("<Q", file.read(8))
                        if length > LARGEST_RECORD or offset + length + 16 > size:
                            raise LmedgeError(f"{path} is damaged at byte {offset}; make the dataset again.")
                        where.append((number, offset + 12, length))
                        file.seek(offset + 12 + length)
                        digest.update(file.read(4))
                        offset += length + 16
            except (OSError, struct.error):
                raise LmedgeError(f"{path} is missing or damaged; make the dataset again.") from None
        self.digest = digest.hexdigest()
        if len(where) != self.count:
            raise LmedgeError(f"{self.path} holds {len(where)} faces, not the {self.count} of {DATASET_FILE}.")
        return np.array(where, dtype=np.int64).reshape(-1, 3)

    def serialized(self, indices: Sequence[int] | NDArray[np.int64]) -> list[bytes]:
        """The stored examples of these faces."""
        examples = []
        for shard, offset, length in self._where[np.asarray(indices)]:
            if shard not in self._maps:
                self._maps[shard] = np.memmap(self.shards[shard], np.uint8, "r")
            examples.append(self._maps[shard][offset : offset + length].tobytes())
        return examples

    def parse(self, serialized: tf.Tensor) -> dict[str, tf.Tensor]:
        """Examples `[B]` (strings) -> `image` uint8 `[B, size, size, 3]`, `landmarks` `[B, K, 2]` pixels,
        `source` and `group` `[B]`. Runs in a tf.data graph."""
        return _parsed(serialized, self.size, self.scheme.count)

    def read(self, indices: Sequence[int] | NDArray[np.int64]) -> dict[str, NDArray[Any]]:
        """These faces as NumPy arrays, as `parse` names them."""
        parse = _compiled(self.size, self.scheme.count)
        return {name: value.numpy() for name, value in parse(self.serialized(indices)).items()}

    def images(self, indices: Sequence[int] | NDArray[np.int64]) -> Image8:
        """`[B, size, size, 3]` RGB."""
        return self.read(indices)["image"]

    @cached_property
    def _labels(self) -> tuple[NDArray[np.float32], NDArray[np.str_], NDArray[np.str_]]:
        spec = {
            "landmarks": tf.io.FixedLenFeature([2 * self.scheme.count], tf.float32),
            "source": tf.io.FixedLenFeature([], tf.string),
            "group": tf.io.FixedLenFeature([], tf.string),
        }
        parts: list[list[Any]] = [[], [], []]
        for indices in chunks(self.count, 4096):
            fields = tf.io.parse_example(self.serialized(indices), spec)
            for part, name in zip(parts, spec, strict=True):
                part.append(fields[name].numpy())
        landmarks, sources, groups = (np.concatenate(part) for part in parts)
        return (
            landmarks.reshape(-1, self.scheme.count, 2),
            np.char.decode(sources.astype(bytes), "utf-8"),
            np.char.decode(groups.astype(bytes), "utf-8"),
        )

    @property
    def landmarks(self) -> NDArray[np.float32]:
        """`[N, K, 2]` pixels."""
        return self._labels[0]

    @property
    def sources(self) -> NDArray[np.str_]:
        """`[N]`: the photo each face came from."""
        return self._labels[1]

    @property
    def groups(self) -> NDArray[np.str_]:
        """`[N]`: the key that must not straddle a split."""
        return self._labels[2]


def chunks(count: int, size: int) -> Iterator[NDArray[np.int64]]:
    """0..count-1 in runs of `size`."""
    for start in range(0, count, size):
        yield np.arange(start, min(start + size, count))


def _parsed(serialized: tf.Tensor, size: int, points: int) -> dict[str, tf.Tensor]:
    spec = {
        "image/encoded": tf.io.FixedLenFeature([], tf.string),
        "landmarks": tf.io.FixedLenFeature([2 * points], tf.float32),
        "source": tf.io.FixedLenFeature([], tf.string),
        "group": tf.io.FixedLenFeature([], tf.string),
    }
    fields = tf.io.parse_example(serialized, spec)
    images = tf.map_fn(
        lambda png: tf.io.decode_png(png, channels=3),
        fields["image/encoded"],
        fn_output_signature=tf.uint8,
    )
    images = tf.ensure_shape(images, [None, size, size, 3])
    landmarks = tf.reshape(fields["landmarks"], [-1, points, 2])
    return {"image": images, "landmarks": landmarks, "source": fields["source"], "group": fields["group"]}


@lru_cache
def _compiled(size: int, points: int) -> Any:
    """As a graph TensorFlow decodes several pictures at a time."""
    return tf.function(lambda serialized: _parsed(serialized, size, points),
                       input_signature=[tf.TensorSpec([None], tf.string)])  # fmt: skip
