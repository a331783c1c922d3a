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
COUNT, LABELLED = 360, 240


def shown(count=COUNT, seed=0):
    """Faces `[N, 16, 16, 3]` and what they have `[N, 3]`: light on the lower half, blue, and what nobody can see."""
    random = np.random.default_rng(seed)
    has = random.random((count, 3)) < (0.5, 0.2, 0.5)
    pixels = random.normal(90, 30, (count, 16, 16, 3))
    pixels[:, 8:] += 60 * has[:, 0, None, None, None]
    pixels[..., 2] += 50 * has[:, 1, None, None]
    return np.clip(pixels, 0, 255).astype(np.uint8), np.where(has, 1, -1).astype(np.float32)


def write_faces(folder):
    """A dataset of them, three faces of a person; a third of them nobody labelled, and of every eighth `Lit` alone is
    known."""
    folder.mkdir()
    images, values = shown()
    values[::8, 1:] = np.nan
    values[LABELLED:] = np.nan
    points = np.random.default_rng(0).uniform(0, 15, (49, 2)).astype(np.float32)
    records = [Record(encode_png(face), points, f"{i}.jpg", f"person {i // 3}", values[i])
               for i, face in enumerate(images)]  # fmt: skip
    write_shard(folder / shard_name(0, 1), records)
    about = {
        "schema": SCHEMA, "count": COUNT, "rejected": {}, "made_by": "prepare", "size": 16,
        "scheme": IBUG49.to_json(), "provenance": Provenance("pts", "1", {}, "CC0").to_json(),
        "attributes": {"names": list(NAMES), **counted(values)}, "shards": [shard_name(0, 1)],
    }  # fmt: skip
    (folder / "dataset.json").write_text(json.dumps(about))
