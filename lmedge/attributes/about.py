"""What a folder of `train-attributes` says of itself, checked; it is read without TensorFlow."""

from pathlib import Path
from typing import Any

from lmedge.attribute_names import check_names
from lmedge.errors import LmedgeError, UsageError
from lmedge.storage import check_form, read_json

SCHEMA = 1
ABOUT_FILE, NETWORK_FILE = "attributes.json", "attributes.keras"
WHAT = "a folder made by `lmedge train-attributes`"
FORM = {"schema": int, "names": list, "prevalence": list, "measured": dict, "left_out": list, "size": int,
        "dataset": {"digest": str, "count": int, "licence": str}}  # fmt: skip


def read_about(path: Path) -> dict[str, Any]:
    """All of attributes.json in the folder `path`. Raises UsageError where there is none, LmedgeError where it is
    damaged or of another version."""
    file = path / ABOUT_FILE
    if not file.is_file():
        raise UsageError(f"{path} is no {WHAT.removeprefix('a ')}; name one.")
    facts = read_json(file, WHAT)
    if facts.get("schema") != SCHEMA:
        raise LmedgeError(
            f"{file} has schema {facts.get('schema')!r}, this version reads {SCHEMA}; run `lmedge "
            "train-attributes` again."
        )
    check_form(facts, FORM, str(file), WHAT)
    names, shares = facts["names"], facts["prevalence"]
    check_names(names, str(file))
    if len(shares) != len(names) or not all(isinstance(share, float) and 0 <= share <= 1 for share in shares):
        raise LmedgeError(f"{file} has no share between 0 and 1 for each attribute; train the network again.")
    check_form(facts["measured"], {name: {"balanced_accuracy": float} for name in names}, f"{file}, 'measured'", WHAT)
    return facts
