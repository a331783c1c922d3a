"""Are the files there that a folder tells of, and whole? Looked at without TensorFlow, so that `info` can."""

from pathlib import Path
from typing import Any

from PIL import Image

from lmedge.errors import LmedgeError
from lmedge.labels.folder import LabelFolder
from lmedge.runtime.bundle import read_model, scheme_in
from lmedge.runtime.detector import DETECT
from lmedge.storage import check_form

DETECTOR = "a detector made by `lmedge train-detector`"


def check_detector(path: Path, about: dict[str, Any], file: Path) -> None:
    """Raises LmedgeError where a model of the detector in the folder `path` is missing, damaged or not the one that
    `about`, all of its detector.json `file`, tells of."""
    variants = about["variants"]
    check_form(variants, {name: {"file": str, "bytes": int} for name in variants}, str(file), DETECTOR)
    scheme = scheme_in(about, file)
    for entry in variants.values():
        model = path / Path(entry["file"]).name
        if not model.is_file():
            raise LmedgeError(f"{model} is missing; take a whole copy of the detector.")
        if not model.stat().st_size:
            raise LmedgeError(f"{model} is empty; take a whole copy of the detector.")
        read = read_model(model)
        same = DETECT in read.signatures and scheme_in(read.about, model) == scheme
        if not same or model.stat().st_size != entry["bytes"]:
            raise LmedgeError(f"{model} is another model than {file} tells of; take a whole copy of the detector.")


def check_pictures(labels: LabelFolder) -> None:
    """Raises LmedgeError where faces of the labels have no picture, or one that was cut short."""
    bad = [file for file in map(labels.image_file, range(len(labels))) if not _is_picture(file)]
    if bad:
        what = "damaged" if bad[0].exists() else "missing"
        more = f", and {len(bad) - 1} other pictures are missing or damaged" if len(bad) > 1 else ""
        raise LmedgeError(f"{bad[0]} is {what}{more}; take a whole copy of the labels.")


def _is_picture(file: Path) -> bool:
    try:
        with Image.open(file) as image:
            image.verify()
    except (OSError, SyntaxError, ValueError):  # what Pillow says of damaged ones
        return False
    return True
