"""Reading a bundle: the folder that is copied to a device."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lmedge.clean import Clean
from lmedge.errors import LmedgeError, UsageError
from lmedge.latent import LatentSpec
from lmedge.provenance import NOT_STATED, Provenance
from lmedge.regular import read_regular
from lmedge.runtime.model_file import ModelFile, check_model
from lmedge.scheme import PARTS, Scheme
from lmedge.shipped import bundle_at, is_shipped, meant_first, models
from lmedge.storage import check_form, read_json
from lmedge.swap import check_whole
from lmedge.url import Url, place

SCHEMA = 2  # 1 named its landmark scheme, and knew one kind of latents
BUNDLE_FILE = "bundle.json"
REFERENCE_FILE = "reference.npz"  # a few faces as Keras computes them in float32
SIGNATURE = "sample"
WHAT = "a bundle made by `lmedge export`"
# What may be said of a model.
FACTS = {"name": str, "version": str, "training": dict, "image": {"width": int, "height": int},
         "controls": list}  # fmt: skip
TRAINING = {"faces": int, "source": str, "licence": str, "kimg": float, "held_out_nme": float}
LARGEST_MODEL = 1 << 28  # bytes


@dataclass(frozen=True)
class Bundle:
    """A bundle, or a single model of one.

    `variants`: name -> model file. `about`: bundle.json, or the metadata of a single model, which has no list of
    variants and is empty in a model of somebody else.
    """

    path: Path
    variants: dict[str, Path]
    about: dict[str, Any]

    @classmethod
    def open(cls, path: Path | str) -> "Bundle":
        """The bundle in a folder, a model file, or a model that comes with lmedge by its name. Raises UsageError for
        something else, LmedgeError for a damaged one or one of another version."""
        there = place(path or "")
        if isinstance(there, Url) and not (there / BUNDLE_FILE).is_file():  # not fetched to say so: it may be large
            what = "is a single object" if there.is_file() else f"is not a bundle (no {BUNDLE_FILE})"
            raise UsageError(f"{there} {what}; name the folder of a bundle made by `lmedge export`.")
        path = bundle_at(path)
        if path.exists() and not path.is_dir():
            if path.suffix != ".tflite":
                raise UsageError(f"{path} is neither a bundle folder nor a .tflite file.")
            about = read_model(path).about
            if "schema" in about:  # a model of somebody else has none
                _check_schema(about, path)
            _check(about, path)
            if "landmarks" in about:
                scheme_in(about, path)
            if "latent" in about:
                _clean_in(about, path)
            return cls(path, {path.stem.removeprefix("faces-"): path}, about)
        if not path.is_dir():
            raise UsageError(
                f"{path} does not exist; name a bundle made by `lmedge export`, or {' or '.join(models())}."
            )
        if not (path / BUNDLE_FILE).is_file():
            raise UsageError(
                f"{path} is not a bundle (no {BUNDLE_FILE}); `lmedge export` makes one{meant_first(path)}."
            )
        check_whole(path)
        about = read_json(path / BUNDLE_FILE, WHAT)
        _check_schema(about, path / BUNDLE_FILE)
        _check(about, path / BUNDLE_FILE)
        check_form(about, {"variants": dict}, str(path / BUNDLE_FILE), WHAT)
        if not about["variants"]:
            raise LmedgeError(f"{path / BUNDLE_FILE} lists no variant; export the run again.")
        forms = {
            key: {"file": str, **({"sha256": str} if isinstance(entry, dict) and "sha256" in entry else {})}
            for key, entry in about["variants"].items()
        }
        check_form(about["variants"], forms, str(path / BUNDLE_FILE), WHAT)
        files = {name: entry["file"] for name, entry in about["variants"].items()}
        for name, file in files.items():
            if not name.isprintable():
                raise LmedgeError(f"{path / BUNDLE_FILE} names the variant {name!r}, which is no name.")
            if Path(file).name != file or file in ("", ".", "..") or not file.isprintable():
                raise LmedgeError(f"{path / BUNDLE_FILE} names {file!r}, which is not a file of the bundle.")
        scheme_in(about, path / BUNDLE_FILE)
        _clean_in(about, path / BUNDLE_FILE)
        return cls(path, {name: path / file for name, file in files.items()}, about)

    @classmethod
    def of(cls, bundle: "Bundle | Path | str | None") -> "Bundle":
        """One that is open already, the one at a path, or, for None, the model that comes with lmedge."""
        return bundle if isinstance(bundle, Bundle) else cls.open(bundle_at(bundle))

    @property
    def name(self) -> str:
        """As the export was told; of a model of somebody else its file's."""
        return str(self.about.get("name", self.path.name))

    @property
    def version(self) -> str:
        """The beginning of the generator's SHA-256, or "" where nothing says."""
        return str(self.about.get("version", ""))

    @property
    def training(self) -> dict[str, Any]:
        """What is said of the faces that it was trained on, and how."""
        return dict(self.about.get("training", {}))

    @property
    def provenance(self) -> Provenance:
        """Where photos and landmarks came from, as far as the export was told."""
        if "provenance" in self.about:
            return Provenance.from_json(self.about["provenance"], str(self.path))
        return Provenance(NOT_STATED, "", licence=self.training.get("licence") or NOT_STATED)

    @property
    def latent(self) -> LatentSpec:
        """What its models draw from. Raises LmedgeError in a model of somebody else, which does not say."""
        return _latent_in(self.about, self.path)

    @property
    def clean(self) -> Clean:
        """What is shown first; all that a model draws where nothing says."""
        return _clean_in(self.about, self.path)

    @property
    def image_psnr(self) -> dict[str, float | None]:
        """dB of the image of each variant, as the export measured it against Keras; None where nothing says."""
        return {name: _psnr(self.about, name) for name in self.variants}

    @property
    def scheme(self) -> Scheme:
        """What the landmarks are. Raises LmedgeError in a model of somebody else, which does not say."""
        return scheme_in(self.about, self.path)

    def model(self, variant: str) -> Path:
        """The model file of a variant, checked against its SHA-256.

        Raises UsageError for an unknown variant, LmedgeError for a file that is missing or damaged.
        """
        if variant not in self.variants:
            have = ", ".join(self.variants)
            more = f", or write it: lmedge export {self.path.name} --out bundle" if is_shipped(self.path) else ""
            raise UsageError(f"--variant {variant}: {self.path} has no such model; take one of {have}{more}.")
        path = self.variants[variant]
        data = _bytes(path)
        entry = self.about.get("variants", {}).get(variant, {})  # a lone model has no list of variants
        wanted = entry.get("sha256")
        if wanted is not None and hashlib.sha256(data).hexdigest() != wanted:
            raise LmedgeError(f"{path} is damaged: its SHA-256 is not the bundle's; copy the bundle again.")
        check_model(data, str(path))
        return path


def _psnr(about: dict[str, Any], variant: str) -> float | None:
    try:
        return float(about["variants"][variant]["parity"]["image_psnr"])
    except (LookupError, TypeError, ValueError):  # a lone model, an older bundle, or one that was edited by hand
        return None


def _check(about: dict[str, Any], path: Path) -> None:
    """Raises LmedgeError for facts that are there and of another form."""
    check_form(about, {name: kind for name, kind in FACTS.items() if name in about}, str(path), WHAT)
    training = about.get("training", {})
    check_form(training, {name: kind for name, kind in TRAINING.items() if training.get(name) is not None}, str(path),
               WHAT)  # fmt: skip
    if "provenance" in about:
        Provenance.from_json(about["provenance"], str(path))


def _check_schema(about: dict[str, Any], path: Path) -> None:
    if about.get("schema") != SCHEMA:
        raise LmedgeError(
            f"{path} has schema {about.get('schema')!r}, this version reads {SCHEMA}; export the run again, or install "
            "the lmedge that made it."
        )


def landmarks_form(scheme: Scheme) -> dict[str, Any]:
    """What bundles, their models and detectors say of their landmarks: the whole scheme, how many points it has, and
    in which form they come."""
    facts = scheme.to_json()
    return {"scheme": facts.pop("name"), "count": scheme.count, "form": "((x + 0.5) / width, (y + 0.5) / height)",
            **facts}  # fmt: skip


def scheme_in(about: dict[str, Any], path: Path) -> Scheme:
    """The inverse of `landmarks_form` for what a bundle or a model says. Raises LmedgeError where it says nothing."""
    landmarks = about.get("landmarks")
    if not isinstance(landmarks, dict):
        raise LmedgeError(f"{path} does not say what its landmarks are; export the run again.")
    parts = {**{part: landmarks[part] for part in PARTS if part in landmarks}, "name": landmarks.get("scheme")}
    return Scheme.from_json(parts, f"{path}, 'landmarks'")


def _latent_in(about: dict[str, Any], path: Path) -> LatentSpec:
    if "latent" not in about:
        raise LmedgeError(f"{path} does not say what its latents are; export the run again.")
    return LatentSpec.from_json(about["latent"], str(path))


def _clean_in(about: dict[str, Any], path: Path) -> Clean:
    """What is shown first. Raises LmedgeError also for latents that are not said."""
    latent = _latent_in(about, path)
    return Clean.from_json(about["clean"], latent, str(path)) if "clean" in about else Clean()


def read_model(path: Path) -> ModelFile:
    """What a model file holds. Raises LmedgeError for one that cannot be read or is malformed."""
    return check_model(_bytes(path), str(path))


def _bytes(path: Path) -> bytes:
    try:
        return read_regular(path, LARGEST_MODEL)
    except OSError as error:
        raise LmedgeError(f"{path} cannot be read ({error.strerror}); copy the bundle again.") from None
