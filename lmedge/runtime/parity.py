"""How far the faces of a model are from those of the networks that it was made from."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lmedge.landmarks import nme
from lmedge.runtime.faces import Faces
from lmedge.scheme import Scheme

HIGHEST_PSNR = 99.0  # dB; stands for images that are equal


@dataclass(frozen=True)
class Parity:
    """Over `latents` faces: PSNR of the images (dB, at most 99) and their root mean square difference
    (levels, 0..255), over all of them; the largest difference of a level; mean NME of the landmarks (a share,
    0.01 is 1 %); largest difference of the confidence, and of those of points, 0 where there is none."""

    latents: int
    image_psnr: float
    image_error: float
    image_max_levels: int
    landmark_nme: float
    confidence_error: float = 0.0
    point_confidence_error: float = 0.0


def compare(faces: Faces, wanted: Faces, scheme: Scheme) -> Parity:
    """The difference of two sets of faces of the same latents."""
    difference = faces.images.astype(np.float64) - wanted.images
    error = float(np.sqrt((difference**2).mean()))
    return Parity(
        latents=len(faces),
        image_psnr=round(min(20 * float(np.log10(255.0 / max(error, 1e-9))), HIGHEST_PSNR), 2),
        image_error=float(f"{error:.3g}"),
        image_max_levels=int(np.abs(difference).max()),
        landmark_nme=float(f"{nme(faces.landmarks, wanted.landmarks, scheme).mean():.3g}"),
        confidence_error=furthest(faces.confidence, wanted.confidence),
        point_confidence_error=furthest(faces.point_confidence, wanted.point_confidence),
    )


def furthest(sure: NDArray[np.float32] | None, wanted: NDArray[np.float32] | None) -> float:
    """The largest difference of confidences; 0 where one of them is not there."""
    return 0.0 if sure is None or wanted is None else float(f"{np.abs(sure - wanted).max():.3g}")
