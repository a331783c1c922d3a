"""The face dataset on disk: TFRecord shards beside a dataset.json, read at random without loading it all."""

import copy
import hashlib
import struct
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError
from numpy.typing import NDArray
from tensorflow.python.lib.io._pywrap_record_io import RecordIterator

from lmedge.affine import Image8
from lmedge.errors import LmedgeError
from lmedge.faces.about import DATASET_FILE, read_about
from lmedge.faces.record import Record
from lmedge.fetched import fetched
from lmedge.folders import half_made
from lmedge.landmarks import far_outside
from lmedge.storage import replacing
from lmedge.swap import check_whole
from lmedge.url import place

# The second where TensorFlow fails to quote the bytes that it refuses.
NO_FACE = (tf.errors.InvalidArgumentError, UnicodeDecodeError)
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
            if record.attributes is not None:
                features["attributes"] = attributes_feature(record.attributes)
            example = tf.train.Example(features=tf.train.Features(feature=features))
            writer.write(example.SerializeToString(deterministic=True))
            count += 1
    return count


def attributes_feature(values: NDArray[np.float32]) -> Any:
    """`[A]`, as a record has them beside the face."""
    return tf.train.Feature(float_list=tf.train.FloatList(value=values.tolist()))


def _bytes(value: bytes) -> Any:
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))


class FaceDataset:
    """A dataset made by `prepare` or `toy`.

    One that lies in an object store is fetched first: `path` is where it lies on this machine. `digest`
    tells datasets of other faces apart, wherever they lie. `attribute_names` are empty where it has none.
    `images(indices)` reads any faces; nothing but an index of offsets stays in memory, the page cache does
    the rest. Raises LmedgeError where the folder is not a whole dataset of this version; whatever reads faces raises
    it for a shard that is damaged or holds something else, with the number of the record in it.
    """

    def __init__(self, path: Path):
        self.path = path = fetched(place(path))
        check_whole(path)
        if not (path / DATASET_FILE).exists() and half_made(path):
            raise LmedgeError(f"{path} is a half-made dataset; run the command that made it again.")
        if not path.is_dir():
            raise LmedgeError(f"{path} is not a folder; name a dataset made by `lmedge prepare` or `toy`.")
        said = read_about(path)
        self.about, self.size, self.count, self.shards = said.facts, said.size, said.count, said.shards
        self.scheme, self.provenance, self.attribute_names = said.scheme, said.provenance, said.attributes
        self._maps: dict[int, NDArray[np.uint8]] = {}
        self._where, digest = self._index()
        self.digest = said.same_faces.get(digest, digest)

    def __len__(self) -> int:
        return self.count

    def _index(self) -> tuple[NDArray[np.int64], str]:
        """[N, 4]: shard, place in it, offset and length of every record, from the framing of TFRecord: length uint64,
        its CRC uint32, data, its CRC uint32, little endian. And a digest of the CRCs."""
        where: list[tuple[int, int, int, int]] = []
        digest = hashlib.sha256(f"{self.size} {self.scheme.name} ".encode())
        for number, path in enumerate(self.shards):
            before = len(where)
            try:
                size = path.stat().st_size
                with path.open("rb") as file:
                    offset = 0
                    while offset < size:
                        file.seek(offset)
                        (length,) = struct.unpack("<Q", file.read(8))
                        if length > LARGEST_RECORD or offset + length + 16 > size:
                            raise LmedgeError(f"{path} is damaged at byte {offset}; make the dataset again.")
                        where.append((number, len(where) - before, offset + 12, length))
                        file.seek(offset + 12 + length)
                        digest.update(file.read(4))
                        offset += length + 16
            except (OSError, struct.error):
                raise LmedgeError(f"{path} is missing or damaged; make the dataset again.") from None
        if len(where) != self.count:
            raise LmedgeError(f"{self.path} holds {len(where)} faces, not the {self.count} of {DATASET_FILE}.")
        return np.array(where, dtype=np.int64).reshape(-1, 4), digest.hexdigest()

    def part(self, indices: NDArray[np.int64]) -> "FaceDataset":
        """These faces alone, counted from 0, of the same dataset: with its digest."""
        part = copy.copy(self)
        part.count, part._where = len(indices), self._where[indices]
        if "_labels" in self.__dict__:  # they were read: not again
            part._labels = [values[indices] for values in self._labels]
        return part

    def showing(self, names: tuple[str, ...], values: NDArray[np.float32]) -> "FaceDataset":
        """The same faces with other attributes: `values` `[N, A]` of the attributes `names`."""
        other = copy.copy(self)
        other.attribute_names, other._labels = names, [*self._labels[:3], values]
        return other

    def of_shard(self, number: int) -> NDArray[np.int64]:
        """Indices of the faces that lie in the shard of this number."""
        return np.flatnonzero(self._where[:, 0] == number)

    def serialized(self, indices: Sequence[int] | NDArray[np.int64]) -> list[bytes]:
        """The stored examples of these faces."""
        examples = []
        for shard, _, offset, length in self._where[np.asarray(indices)]:
            if shard not in self._maps:
                self._check_records(shard)
                self._maps[shard] = np.memmap(self.shards[shard], np.uint8, "r")
            examples.append(self._maps[shard][offset : offset + length].tobytes())
        return examples

    def check(self) -> None:
        """Looks at every record without decoding its picture, as a long training should end before it begins."""
        for _ in self._labels_in_chunks():
            pass

    def _check_records(self, shard: int) -> None:
        """Once, before the first face of a shard is read: TensorFlow's reader compares the masked CRC32C of each length
        and each record, and protobuf parses it, as `parse_example` ends in a segmentation fault on some that it
        refuses."""
        path, record = self.shards[shard], 0
        try:
            # What tf.data reads with, without the 20 ms that a pipeline takes to set up.
            for record, example in enumerate(RecordIterator(str(path), ""), 1):  # noqa: B007
                tf.train.Example.FromString(example)
        except DecodeError:
            raise LmedgeError(f"{path}: record {record - 1} is no example; make the dataset again.") from None
        except tf.errors.OpError:
            raise LmedgeError(
                f"{path} is damaged: record {record} does not have its checksum; make the dataset again."
            ) from None

    def parse(self, serialized: tf.Tensor) -> dict[str, tf.Tensor]:
        """Examples `[B]` (strings) -> `image` uint8 `[B, size, size, 3]`, `landmarks` `[B, K, 2]` pixels,
        `source` and `group` `[B]`. Runs in a tf.data graph."""
        return _parsed(serialized, self.size, self.scheme.count)

    def read(self, indices: Sequence[int] | NDArray[np.int64]) -> dict[str, NDArray[Any]]:
        """These faces as NumPy arrays, as `parse` names them."""
        parse = _compiled(self.size, self.scheme.count)
        serialized = self.serialized(indices)
        try:
            faces = {name: value.numpy() for name, value in parse(serialized).items()}
        except NO_FACE:
            raise self._wrong(indices, serialized) from None
        self._check_landmarks(indices, faces["landmarks"])
        return faces

    def _wrong(self, indices: Sequence[int] | NDArray[np.int64], serialized: list[bytes]) -> LmedgeError:
        """What to raise where one of these examples is no face of this dataset."""
        parse = _compiled(self.size, self.scheme.count)
        for index, example in zip(indices, serialized, strict=True):
            try:
                parse([example])
            except NO_FACE:
                what = f"a PNG of {self.size} pixels and {self.scheme.count} landmarks"
                return LmedgeError(f"{self._place(index)} is not {what}; make the dataset again.")
        without = "without its attributes, or with" if self.attribute_names else "with"
        return LmedgeError(
            f"{self.path} has a record {without} a source or group that is not UTF-8; make the dataset again."
        )

    def _place(self, index: int) -> str:
        """`FILE: record 3`"""
        shard, record = self._where[index, :2]
        return f"{self.shards[shard]}: record {record}"

    def _check_landmarks(self, indices: Sequence[int] | NDArray[np.int64], landmarks: NDArray[np.float32]) -> None:
        far = far_outside(landmarks, self.size, self.size)
        if far.any():
            face, point = np.argwhere(far)[0]
            x, y = landmarks[face, point]
            raise LmedgeError(
                f"{self._place(indices[face])} has a landmark at {x:g}, {y:g}, far outside of a face of {self.size} "
                "pixels; make the dataset again."
            )

    def images(self, indices: Sequence[int] | NDArray[np.int64]) -> Image8:
        """`[B, size, size, 3]` RGB."""
        return self.read(indices)["image"]

    def _labels_in_chunks(self) -> Iterator[list[NDArray[Any]]]:
        spec = {
            "landmarks": tf.io.FixedLenFeature([2 * self.scheme.count], tf.float32),
            "source": tf.io.FixedLenFeature([], tf.string),
            "group": tf.io.FixedLenFeature([], tf.string),
        }
        if self.attribute_names:
            spec["attributes"] = tf.io.FixedLenFeature([len(self.attribute_names)], tf.float32)
        for indices in chunks(self.count, 4096):
            serialized = self.serialized(indices)
            try:
                fields = tf.io.parse_example(serialized, spec)
                names = [np.char.decode(fields[name].numpy().astype(bytes), "utf-8") for name in ("source", "group")]
            except NO_FACE:
                raise self._wrong(indices, serialized) from None
            landmarks = fields["landmarks"].numpy().reshape(-1, self.scheme.count, 2)
            self._check_landmarks(indices, landmarks)
            shown = fields["attributes"].numpy() if self.attribute_names else np.empty((len(indices), 0), np.float32)
            if (beyond := np.abs(shown) > 1).any():
                place = self._place(indices[int(np.argwhere(beyond)[0, 0])])
                raise LmedgeError(f"{place} has an attribute beyond -1 to 1; make the dataset again.")
            yield [landmarks, *names, shown]

    @cached_property
    def _labels(self) -> list[NDArray[Any]]:
        return [np.concatenate(part) for part in zip(*self._labels_in_chunks(), strict=True)]

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

    @property
    def attributes(self) -> NDArray[np.float32]:
        """`[N, A]`: 1 for yes, -1 for no, in between how surely, NaN where nobody said."""
        return self._labels[3]


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
    pngs = fields["image/encoded"]
    # The sides stand in the header: a picture of another size is not decoded, as it could be of any size.
    header = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", size, size)
    heads = tf.strings.substr(pngs, 0, len(header))
    with tf.control_dependencies([tf.debugging.Assert(tf.reduce_all(heads == header), ["not a PNG of this size"])]):
        pngs = tf.identity(pngs)
    images = tf.map_fn(lambda png: tf.io.decode_png(png, channels=3), pngs, fn_output_signature=tf.uint8)
    images = tf.ensure_shape(images, [None, size, size, 3])
    landmarks = tf.reshape(fields["landmarks"], [-1, points, 2])
    return {"image": images, "landmarks": landmarks, "source": fields["source"], "group": fields["group"]}


@lru_cache
def _compiled(size: int, points: int) -> Any:
    """As a graph TensorFlow decodes several pictures at a time."""
    return tf.function(lambda serialized: _parsed(serialized, size, points),
                       input_signature=[tf.TensorSpec([None], tf.string)])  # fmt: skip
