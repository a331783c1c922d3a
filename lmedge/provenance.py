"""Where landmarks and photos came from. Travels with datasets, latents, runs, generated faces and bundles."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from lmedge.storage import check_form

FORM = {"annotator": str, "annotator_version": str, "crop": dict, "licence": str}
NOT_STATED = "not stated"


@dataclass(frozen=True)
class Provenance:
    """`annotator`: who placed the landmarks ("mediapipe", "pts", "drawn", ...), and its version; `crop`: options with
    which faces were cut out of photos (empty where they never were photos); `licence` of the photos, as stated."""

    annotator: str
    annotator_version: str
    crop: Mapping[str, Any] = field(default_factory=dict)
    licence: str = NOT_STATED

    @property
    def landmarks(self) -> str:
        """Whose landmarks these are, for people: `mediapipe 0.10.21`."""
        return f"{self.annotator} {self.annotator_version}".strip()

    def same_annotator(self, other: "Provenance") -> bool:
        """May landmarks of both be mixed? Versions of an annotator count as one."""
        return self.annotator == other.annotator

    def to_json(self) -> dict[str, Any]:
        """As datasets, runs and bundles have it."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Any, where: str) -> "Provenance":
        """The inverse of `to_json`; `where` it stands. Raises LmedgeError."""
        check_form({"provenance": value}, {"provenance": FORM}, where, "a record of where faces came from")
        return cls(**{name: value[name] for name in FORM})
