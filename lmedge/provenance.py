"""Where landmarks and photos came from. Travels with datasets, latents, runs, generated faces and bundles."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from lmedge.storage import check_form

FORM = {"annotator": str, "annotator_version": str, "crop": dict, "licence": str}
NOT_STATED = "not stated"


@dataclass(frozen=True)
class Provenance:
    """`annotator`: who placed the landmarks ("mediapipe", "pts", "drawn", ...), and its version; `crop`: options with
    which faces were cut out of photos (empty where they never were photos); `licence` of the photos, as stated.
    `learnt`: where the landmarks came from that an L-Gen learnt, if it was the annotator."""

    annotator: str
    annotator_version: str
    crop: Mapping[str, Any] = field(default_factory=dict)
    licence: str = NOT_STATED
    learnt: "Provenance | None" = None

    @property
    def origin(self) -> "Provenance":
        """Of the landmarks that were placed on photos: what an L-Gen learnt, or these."""
        return self.learnt or self

    @property
    def landmarks(self) -> str:
        """Whose landmarks these are, for people: `mediapipe 0.10.21`."""
        learnt = "" if self.learnt is None else f" (learnt from {self.learnt.landmarks})"
        return f"{self.annotator} {self.annotator_version}".strip() + learnt

    def same_annotator(self, other: "Provenance") -> bool:
        """May landmarks of both be mixed? Versions of an annotator count as one."""
        return (self.annotator, self.origin.annotator) == (other.annotator, other.origin.annotator)

    def by_lgen(self, version: str) -> "Provenance":
        """Of generated faces, by a model of this version whose L-Gen learnt landmarks of this provenance."""
        return Provenance("lgen", version, {}, self.licence, self.origin)

    def beside(self, generated: "Provenance") -> "Provenance":
        """Of what learnt from faces of this provenance and from generated ones: the licences of both."""
        if self.licence == generated.licence:
            return self
        return replace(self, licence=f"{self.licence}; of the generated faces: {generated.licence}")

    def to_json(self) -> dict[str, Any]:
        """As datasets, runs and bundles have it."""
        facts = {name: getattr(self, name) for name in FORM}
        return facts if self.learnt is None else {**facts, "learnt": self.learnt.to_json()}

    @classmethod
    def from_json(cls, value: Any, where: str) -> "Provenance":
        """The inverse of `to_json`; `where` it stands. Raises LmedgeError."""
        learnt = value.get("learnt") if isinstance(value, dict) else None
        whole = FORM if learnt is None else {**FORM, "learnt": FORM}
        check_form({"provenance": value}, {"provenance": whole}, where, "a record of where faces came from")
        taught = None if learnt is None else cls(**{name: learnt[name] for name in FORM})
        return cls(**{name: value[name] for name in FORM}, learnt=taught)
