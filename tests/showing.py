"""Faces that show something, for the tests of attributes."""

import json

import numpy as np

from lmedge.faces.about import SCHEMA
from lmedge.faces.attributes import counted
from lmedge.faces.record import Record, encode_png
from lmedge.faces.records import shard_name, write_shard
from lmedge.provenance import Provenance
from lmedge.scheme import IBUG49

NAMES = ("Lit", "Blue", "Lucky")
COUNT, LABELLED, SIZE = 360, 240, 32


def shown(count=COUNT, seed=0):
    """Faces `[N, SIZE, SIZE, 3]` and what they have `[N, 3]`: a light lower half, blue, and what cannot be seen."""
    random = np.random.default_rng(seed)
    has = random.random((count, 3)) < (0.5, 0.2, 0.5)
    pixels = random.normal(90, 30, (count, SIZE, SIZE, 3))
    pixels[:, SIZE // 2 :] += 60 * has[:, 0, None, None, None]
    pixels[..., 2] += 50 * has[:, 1, None, None]
    return np.clip(pixels, 0, 255).astype(np.uint8), np.where(has, 1, -1).astype(np.float32)


def write_faces(folder):
    """A dataset of them, three faces of a person; a third of them nobody labelled, and of every eighth `Lit` alone is
    known."""
    folder.mkdir()
    images, values = shown()
    values[::8, 1:] = np.nan
    values[LABELLED:] = np.nan
    random = np.random.default_rng(0)
    points = random.uniform(5, SIZE - 5, (49, 2)) + random.normal(0, 1, (COUNT, 49, 2))
    records = [Record(encode_png(face), points[i].astype(np.float32), f"{i}.jpg", f"person {i // 3}", values[i])
               for i, face in enumerate(images)]  # fmt: skip
    write_shard(folder / shard_name(0, 1), records)
    about = {
        "schema": SCHEMA, "count": COUNT, "rejected": {}, "made_by": "prepare", "size": SIZE,
        "scheme": IBUG49.to_json(), "provenance": Provenance("pts", "1", {}, "CC0").to_json(),
        "attributes": {"names": list(NAMES), **counted(values)}, "shards": [shard_name(0, 1)],
    }  # fmt: skip
    (folder / "dataset.json").write_text(json.dumps(about))
