"""A bundle on every device: does each variant run, and does it draw the same faces?"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from rich.table import Table

from lmedge.devices.browser import Browser
from lmedge.devices.device import Device, Unavailable
from lmedge.devices.emulated import PROCESSORS, Emulated
from lmedge.devices.micro import Micro
from lmedge.devices.native import Native
from lmedge.progress import progress
from lmedge.runtime import Bundle, Faces
from lmedge.runtime.parity import Parity, compare, furthest

# How far the faces of a variant may differ between devices: the image in levels, landmarks in widths, confidences.
# Kernels for int8 round in different places (XNNPACK, the reference kernels, those of ARM), and a level of int8-io
# landmarks is 0.0034.
FLOAT_LIMITS, INT8_LIMITS = (1, 1e-5, 1e-4), (64, 5e-3, 0.1)
FLOAT = ("fp32", "fp16")


@dataclass(frozen=True)
class Agreement:
    """How far the faces of one variant differ between two devices: the image in levels, the landmarks as a share of the
    width, the confidences of faces and points."""

    levels: int
    landmarks: float
    confidence: float = 0.0

    def __str__(self) -> str:
        if self.levels == 0 and self.landmarks == 0 and self.confidence == 0:
            return "exact"
        image = "image exact" if self.levels == 0 else f"{self.levels} level{'s' * (self.levels > 1)}"
        sure = "" if self.confidence == 0 else f", confidence {self.confidence:.0e}"
        return f"{image}, landmarks {'exact' if self.landmarks == 0 else format(self.landmarks, '.0e')}{sure}"


@dataclass(frozen=True)
class Row:
    """A variant on a device: does it run; how far it is from the float model, and from the first device that runs the
    same variant (None: it is that device); what else is to be said, such as why it does not run."""

    device: str
    variant: str
    runs: bool
    parity: Parity | None
    agreement: Agreement | None
    note: str

    @property
    def good(self) -> bool:
        """False where a device draws other faces than the first one."""
        if self.agreement is None:
            return True
        limits = FLOAT_LIMITS if self.variant in FLOAT else INT8_LIMITS
        found = self.agreement.levels, self.agreement.landmarks, self.agreement.confidence
        return all(value <= limit for value, limit in zip(found, limits, strict=True))


@dataclass(frozen=True)
class Check:
    """Rows, device by device; devices that this machine does not have, with the reason."""

    rows: list[Row]
    skipped: dict[str, str]


def table(found: Check) -> Table:
    """The rows; what differs too much is red."""
    shown = Table("device", "variant", "runs", "from fp32: image, NME", "same variant, first device", "remark")
    before = ""
    for row in found.rows:
        parity = f"{row.parity.image_psnr:.1f} dB, {row.parity.landmark_nme:.2%}" if row.parity else ""
        agreement = "" if not row.runs else "is the first" if row.agreement is None else str(row.agreement)
        shown.add_row(row.device if row.device != before else "", row.variant, "yes" if row.runs else "no", parity,
                      agreement if row.good else f"[bold red]{agreement}[/]", row.note)  # fmt: skip
        before = row.device
    return shown


def every_device() -> list[Device]:
    """In the order of the table."""
    return [Native("litert"), Native("tflite"), *(Emulated(kind) for kind in PROCESSORS), Micro(), Browser()]


def check(bundle: Bundle, devices: Sequence[Device], latents: int, seed: int = 0) -> Check:
    """Draws `latents` faces of every variant on every device."""
    models = {name: bundle.model(name) for name in bundle.variants}
    first: dict[str, Faces] = {}
    rows: list[Row] = []
    skipped: dict[str, str] = {}
    with progress("devices", len(devices), "devices") as advance:
        for device in devices:
            try:
                outcomes = device.outcomes(models, bundle.latent.draw(latents, seed))
            except Unavailable as reason:
                skipped[device.name] = str(reason)
                advance(1, f"{device.name} skipped")
                continue
            for name, outcome in outcomes.items():
                faces = outcome.faces
                if faces is None:
                    rows.append(Row(device.name, name, False, None, None, outcome.note))
                    continue
                agreement = between(faces, first[name]) if name in first else None
                first.setdefault(name, faces)
                parity = compare(faces, first["fp32"], bundle.scheme) if "fp32" in first else None
                rows.append(Row(device.name, name, True, parity, agreement, outcome.note))
            advance(1, device.name)
    return Check(rows, skipped)


def between(faces: Faces, others: Faces) -> Agreement:
    """How far faces of the same latents differ."""
    levels = np.abs(faces.images.astype(np.int16) - others.images).max()
    landmarks = np.abs(faces.landmarks - others.landmarks).max() / faces.images.shape[2]
    sure = (furthest(faces.confidence, others.confidence), furthest(faces.point_confidence, others.point_confidence))
    return Agreement(int(levels), float(landmarks), max(sure))
