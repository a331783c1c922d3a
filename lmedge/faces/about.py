"""dataset.json: what a dataset says of its faces, checked; it is read without TensorFlow."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lmedge.attribute_names import check_names
from lmedge.errors import LmedgeError
from lmedge.provenance import Provenance
from lmedge.scheme import Scheme
from lmedge.storage import Form, check_form, read_json

SCHEMA = 2  # 1 named its landmark scheme, and had annotator, crop and licence apart
DATASET_FILE = "dataset.json"
FORM = {"size": int, "scheme": dict, "count": int, "shards": list, "made_by": str, "provenance": dict}
LARGEST_SIDE = 1024  # pixels
WHAT = "a dataset made by `lmedge prepare` or `toy`"


@dataclass(frozen=True)
class DatasetAbout:
    """`count` faces of `size` pixels, their landmarks, the names of their `attributes`, and where they came from;
    `same_faces`: the digest of these records -> that of the same faces without attributes, where they were given some
    later; `shards` are files; `facts` are all that the file holds."""

    size: int
    count: int
    scheme: Scheme
    provenance: Provenance
    shards: list[Path]
    facts: dict[str, Any]
    attributes: tuple[str, ...] = ()
    same_faces: Mapping[str, str] = field(default_factory=dict)


def read_about(path: Path) -> DatasetAbout:
    """What dataset.json in the folder `path` says. Raises LmedgeError where it is damaged or of another version."""
    file = path / DATASET_FILE
    facts = read_json(file, WHAT)
    if facts.get("schema") != SCHEMA:
        raise LmedgeError(
            f"{file} has schema {facts.get('schema')!r}, this version reads {SCHEMA}; make the dataset again."
        )
    check_form(facts, FORM, str(file), WHAT)
    if not 0 < facts["size"] <= LARGEST_SIDE:
        raise LmedgeError(f"{file}: size is {facts['size']}, not between 1 and {LARGEST_SIDE} pixels.")
    if facts["count"] < 0:
        raise LmedgeError(f"{file}: count is {facts['count']}, which no dataset has; make the dataset again.")
    scheme = Scheme.from_json(facts["scheme"], f"{file}, 'scheme'")
    provenance = Provenance.from_json(facts["provenance"], str(file))
    shards = [path / Path(str(name)).name for name in facts["shards"]]
    for shard in shards:
        if not re.fullmatch(r"[\w.-]+", shard.name, re.ASCII):
            raise LmedgeError(f"{file} lists {shard.name!r}, which is no shard of a dataset.")
    optional: Form = {name: dict for name in ("attributes", "same_faces") if name in facts}
    check_form(facts, optional, str(file), WHAT)
    attributes: list[str] = []
    if "attributes" in facts:
        check_form(facts["attributes"], {"names": list}, f"{file}, 'attributes'", WHAT)
        attributes = facts["attributes"]["names"]
        check_names(attributes, f"{file}, 'attributes'")
    same_faces = facts.get("same_faces", {})
    check_form(same_faces, dict.fromkeys(same_faces, str), f"{file}, 'same_faces'", WHAT)
    return DatasetAbout(facts["size"], facts["count"], scheme, provenance, shards, facts, tuple(attributes), same_faces)
