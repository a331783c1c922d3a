"""Shards of picture and JSON, as WebDataset reads them."""

import json
import tarfile
from pathlib import Path
from typing import Any

from lmedge.datasets.formats.format import Format, Labels, Shape, attributes_of, decimals, on_disk, part_of, stem
from lmedge.datasets.stream import Samples
from lmedge.landmarks import rows
from lmedge.storage import write_bytes


class WebDataset(Format):
    """faces-000000.tar of 1,024 faces each: 000000.png and 000000.json."""

    name = "webdataset"
    files = ("faces-*",)

    def finish(self, out: Path, labels: Labels, shape: Shape) -> None:
        """Its parts are whole."""

    def part(self, out: Path, first: int, samples: Samples, shape: Shape) -> None:
        # Header and data as they are: TarFile takes a tenth of the time that drawing a face does, and many small writes
        # more.
        pieces = []
        for i, png in enumerate(samples.pngs):
            for suffix, data in (("png", png), ("json", self._label(samples, i, shape))):
                entry = tarfile.TarInfo(f"{stem(first + i)}.{suffix}")
                entry.size = len(data)
                pieces += [entry.tobuf(tarfile.USTAR_FORMAT), data, bytes(-len(data) % tarfile.BLOCKSIZE)]
        pieces.append(bytes(2 * tarfile.BLOCKSIZE))  # the end
        write_bytes(out / f"faces-{stem(part_of(first))}.tar", b"".join(pieces))

    def _label(self, samples: Samples, i: int, shape: Shape) -> bytes:
        points = rows(samples.landmarks[i], "[%.4f,%.4f],")[:-1]
        facts: dict[str, Any] = {"scheme": shape.scheme.name, "latent": int(samples.numbers[i]),
                                 "mirrored": bool(samples.mirrored[i])}  # fmt: skip
        if samples.confidence is not None:
            facts["confidence"] = round(float(samples.confidence[i]), 4)
        if samples.point_confidence is not None:
            facts["point_confidence"] = decimals(samples.point_confidence[i])
        if shape.attributes:
            facts["attributes"] = attributes_of(samples, i, shape)
        return f'{{"landmarks": [{points}], {json.dumps(facts)[1:]}'.encode()

    def bytes_per_face(self, png: float, points: int, block: int) -> float:
        return 1024 + on_disk(png, 512) + on_disk(22 * points + 120, 512)


FORMAT = WebDataset()
