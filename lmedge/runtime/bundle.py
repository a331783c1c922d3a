"""Reading a bundle: the folder that is copied to a device."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lmedge.errors import LmedgeError, UsageError
from lmedge.landmarks import SCHEMES, Scheme
from lmedge.storage import read_json

SCHEMA = 1
BUNDLE_FILE = "bundle.json"
SIGNATURE = "sample"
LARGEST_MODEL = 1 << 30  # bytes


@dataclass(frozen=True)
class Bundle:
    """A bundle, or a single model of one.

    `variants`: name -> model file. `about`: bundle.json, empty for a single model, whose facts then come
    from its signature.
    """

    path: Path
    variants: dict[str, Path]
    about: dict[str, Any]

    @classmethod
    def open(cls, path: Path | str) -> "Bundle":
        """The bundle in a folder, or a model file. Raises UsageError for something else, LmedgeError for a
        damaged one or one of another version."""
        path = Path(path)
        if path.is_file():
            if path.suffix != ".tflite":
                raise UsageError(f"{path} is neither a bundle folder nor a .tflite file.")
            return cls(path, {path.stem.removeprefix("faces-"): path}, {})
        if not path.is_dir():
            raise UsageError(f"{path} does not exist; name a bundle made by `lmedge export`.")
        if not (path / BUNDLE_FILE).is_file():
            raise UsageError(f"{path} is not a bundle (no {BUNDLE_FILE}); `lmedge export` makes one.")
        about = read_json(path / BUNDLE_FILE, "a bundle made by `lmedge export`")
        if about.get("schema") != SCHEMA:
            raise LmedgeError(
                f"{path / BUNDLE_FILE} has schema {about.get('schema')!r}, this version reads {SCHEMA}; "
                "export the run again, or install the lmedge that made it."
            )
        try:
            files = {str(name): str(entry["file"]) for name, entry in about["variants"].items()}
            scheme = str(about["landmarks"]["scheme"])
        except (KeyError, TypeError, AttributeError) as error:
            raise LmedgeError(f"{path / BUNDLE_FILE} lacks {error}; export the run again.") from None
        for file in files.values():
            if Path(file).name != file or file in ("", ".", ".."):
                raise LmedgeError(f"{path / BUNDLE_FILE} names {file!r}, which is not a file of the bundle.")
        if scheme not in SCHEMES:
            raise LmedgeError(f"{path / BUNDLE_FILE} has the unknown landmark scheme {scheme!r}.")
        return cls(path, {name: path / file for name, file in files.items()}, about)

    def scheme(self, points: int) -> Scheme:
        """The landmark scheme, which must have as many points as the model gives. Raises LmedgeError."""
        known = self.about.get("landmarks", {}).get("scheme")
        for scheme in SCHEMES.values():
            if scheme.count == points and known in (None, scheme.name):
                return scheme
        raise LmedgeError(f"{self.path}: the model gives {points} points, which is not {known or 'a scheme'}.")

    def model(self, variant: str) -> Path:
        """The model file of a variant, checked against its SHA-256.

        Raises UsageError for an unknown variant, LmedgeError for a file that is missing or damaged.
        """
        if variant not in self.variants:
            have = ", ".join(self.variants)
            raise UsageError(f"--variant {variant}: {self.path} has no such model; take one of {have}.")
        path = self.variants[variant]
        try:
            if path.stat().st_size > LARGEST_MODEL:
                raise LmedgeError(f"{path} is larger than {LARGEST_MODEL >> 20} MiB; this is no face generator.")
            data = path.read_bytes()
        except OSError as error:
            raise LmedgeError(f"{path} cannot be read ({error.strerror}); copy the bundle again.") from None
        wanted = self.about.get("variants", {}).get(variant, {}).get("sha256")
        if wanted is not None and hashlib.sha256(data).hexdigest() != wanted:
            raise LmedgeError(f"{path} is damaged: its SHA-256 is not the bundle's; copy the bundle again.")
        if data[4:8] != b"TFL3":
            raise LmedgeError(f"{path} is not a TFLite model.")
        return path
