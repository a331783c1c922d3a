"""Faces with landmarks."""

import io
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lmedge.bounds import require
from lmedge.errors import LmedgeError, UsageError
from lmedge.landmarks import in_pixels, normalised
from lmedge.scheme import Scheme

if TYPE_CHECKING:
    from PIL import Image


@dataclass(frozen=True)
class Faces:
    """`images` uint8 `[N, H, W, 3]` RGB; `landmarks` float32 `[N, K, 2]` pixels; `latents` `[N, Z]`; `confidence`
    `[N]`, about the share of faces whose landmarks are expected to be less exact, or None where there is none; `scheme`
    of the landmarks, None where whoever made the faces did not say; `point_confidence` `[N, K]`, about the share of all
    points of all faces that are expected to be less exact, or None where the model does not say it."""

    images: NDArray[np.uint8]
    landmarks: NDArray[np.float32]
    latents: NDArray[np.float32]
    confidence: NDArray[np.float32] | None = None
    scheme: Scheme | None = None
    point_confidence: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, part: int | slice | NDArray[Any]) -> "Faces":
        if isinstance(part, int | np.integer):
            part = np.arange(len(self))[part : part + 1 or None]  # one face; none beyond the last
        parts: dict[str, Any] = {name: values[part] for name, values in self.arrays().items()}
        return replace(self, **parts)

    def __repr__(self) -> str:
        _, height, width, _ = self.images.shape
        sure = self.confidence
        told = "" if sure is None or not len(sure) else f", confidence {sure.min():.2f} to {sure.max():.2f}"
        size = f"{len(self)} of {width} x {height} pixels, {self.landmarks.shape[1]} landmarks"
        return f"Faces({size}, latents of {self.latents.shape[1]}{told})"

    def picture(self) -> "Image.Image":
        """The first 64 as one picture with their landmarks, eight a row. Raises UsageError where there is none, or no
        scheme of their landmarks."""
        # Here, as a board that only draws faces needs no drawing of lines.
        from PIL import Image

        from lmedge.pictures import SHEET_FACES, contact_sheet

        if self.scheme is None:
            raise UsageError("these faces do not know their landmark scheme; draw them with a FaceModel.")
        some = self[:SHEET_FACES]
        return Image.fromarray(contact_sheet(some.images, some.landmarks, some.scheme))

    def _repr_png_(self) -> bytes | None:
        """What a notebook shows."""
        if not len(self) or self.scheme is None:
            return None
        png = io.BytesIO()
        self.picture().save(png, "PNG")
        return png.getvalue()

    def show(self) -> None:
        """Shows `picture()` in the notebook, or in the picture viewer of the desktop. Raises LmedgeError where there is
        neither."""
        from PIL import ImageShow

        notebook = sys.modules.get("IPython")
        if notebook is not None and notebook.get_ipython() is not None:
            notebook.display.display(self)
        elif not ImageShow.show(self.picture(), "faces"):
            raise LmedgeError("there is no picture viewer here; save faces.picture() with its save('faces.png').")

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The arrays that are there, by name."""
        return {name: values for name, values in vars(self).items() if isinstance(values, np.ndarray)}

    def landmarks_at(self, width: int, height: int) -> NDArray[np.float32]:
        """Landmarks `[N, K, 2]` in pixels of the faces scaled to `width` by `height`; (0, 0) is the centre of the first
        pixel there too. Raises UsageError for a size below 1."""
        require("width", width, 1)
        require("height", height, 1)
        return in_pixels(normalised(self.landmarks, self.images.shape[2], self.images.shape[1]), width, height)
