"""What of a model is shown first: faces that a person would call clean.

A bundle says how far from the middle of its latents these lie, and how sure of its landmarks the model has to be, to
every sampler: here, in Kotlin, and in JavaScript. Needs no more than NumPy, as it runs on the device.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lmedge.bounds import LEAST_TRUNCATION, require
from lmedge.errors import LmedgeError, UsageError
from lmedge.latent import LatentSpec
from lmedge.storage import check_form


@dataclass(frozen=True)
class Clean:
    """`truncation`: by name of a block of the latent, the share of their distance from its middle that its numbers are
    drawn at; 1 for a block that it does not name. `min_confidence`: faces of which L-Gen is less sure are left out. The
    default shows all that the model draws."""

    truncation: Mapping[str, float] = field(default_factory=dict)
    min_confidence: float = 0.0

    def check(self, latent: LatentSpec) -> None:
        """Raises UsageError for numbers out of range, and for a block that the latent has not."""
        require("min_confidence", self.min_confidence, 0, 1)
        names = [block.name for block in latent.blocks]
        for name, share in self.truncation.items():
            require(f"the truncation of {name!r:.60}", share, LEAST_TRUNCATION, 1)
            if name not in names:
                raise UsageError(f"there is a truncation for {name!r:.60}, and latents have {', '.join(names)}.")

    @property
    def is_all(self) -> bool:
        """Does it leave nothing out?"""
        return not self.min_confidence and all(share == 1 for share in self.truncation.values())

    def to_json(self) -> dict[str, Any]:
        """As bundles, their models and pages have it."""
        return {"truncation": dict(self.truncation), "min_confidence": self.min_confidence}

    @classmethod
    def from_json(cls, value: Any, latent: LatentSpec, where: str) -> "Clean":
        """The inverse of `to_json`; `where` it stands. Raises LmedgeError."""
        form = {"truncation": dict, "min_confidence": float}
        check_form({"clean": value}, {"clean": form}, where, "a bundle")
        check_form(value["truncation"], dict.fromkeys(value["truncation"], float), where, "a bundle")
        clean = cls({name: float(share) for name, share in value["truncation"].items()}, float(value["min_confidence"]))
        try:
            clean.check(latent)
        except UsageError as error:
            raise LmedgeError(f"{where}, 'clean': {error}") from None
        return clean

    def __str__(self) -> str:
        """`person drawn at 70%, confidence 0.2 and more`"""
        parts = [f"{name} drawn at {share:.0%}" for name, share in self.truncation.items() if share != 1]
        parts += [f"confidence {self.min_confidence:g} and more"] if self.min_confidence else []
        return ", ".join(parts) or "all that the model draws"
