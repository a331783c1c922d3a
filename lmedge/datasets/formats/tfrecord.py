"""A dataset of lmedge."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from lmedge.datasets.formats.format import Format, Labels, Shape, part_of, parts_of
from lmedge.datasets.stream import Samples
from lmedge.errors import UsageError
from lmedge.storage import write_json


class TfRecord(Format):
    """A dataset of lmedge, as `prepare` makes one: `train-gan` and `study` read it."""

    name = "tfrecord"
    files = ("faces-*", "dataset.json")
    needs = ("fpng", "tensorflow", "cv2")

    def check(self, shape: Shape) -> None:
        if shape.width != shape.height:
            raise UsageError(
                f"--format tfrecord: its faces are square, these are {shape.width} x {shape.height}; take webdataset."
            )

    def part(self, out: Path, first: int, samples: Samples, shape: Shape) -> None:
        from lmedge.faces.record import Record  # loads OpenCV, and the next line TensorFlow: for this format only
        from lmedge.faces.records import write_shard

        seed = int(shape.about["options"]["seed"])
        records = (
            # A face and its mirror image are one group, and never straddle a split.
            Record(png, samples.landmarks[i], _source(samples, i, seed), f"{seed}-{samples.numbers[i]}",
                   None if samples.attributes is None else samples.attributes[i])
            for i, png in enumerate(samples.pngs)
        )  # fmt: skip
        write_shard(out / self._shard(part_of(first), shape), records)

    def _shard(self, number: int, shape: Shape) -> str:
        from lmedge.faces.records import shard_name

        return shard_name(number, parts_of(shape.count))

    def finish(self, out: Path, labels: Labels, shape: Shape) -> None:
        from lmedge.faces.about import DATASET_FILE, SCHEMA
        from lmedge.faces.attributes import counted

        super().finish(out, labels, replace(shape, attributes=()))  # records have a place for them
        about, shown = shape.about, {}
        if shape.attributes:
            values = np.concatenate([part.attributes for part in labels() if part.attributes is not None])
            shown = {"attributes": {"names": list(shape.attributes), "from": "a network", **counted(values)}}
        write_json(out / DATASET_FILE, {
            "schema": SCHEMA, "count": shape.count, "rejected": {}, "made_by": "synthesize", "synthetic": True,
            "size": shape.width, "scheme": shape.scheme.to_json(), "provenance": about["provenance"],
            "photos": shape.count, "generator": about.get("generator"),
            "versions": about.get("versions"), "options": about.get("options"),
            **shown, "shards": [self._shard(i, shape) for i in range(parts_of(shape.count))],
        })  # fmt: skip

    def bytes_per_face(self, png: float, points: int, block: int) -> float:
        return png + 8 * points + 150


def _source(samples: Samples, i: int, seed: int) -> str:
    """Where a face came from: `seed 0, latent 123, mirrored`."""
    return f"seed {seed}, latent {samples.numbers[i]}" + (", mirrored" if samples.mirrored[i] else "")


FORMAT = TfRecord()
