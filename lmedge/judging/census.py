"""Who is in a set of faces: what can be counted from pixels and landmarks alone, and what a network of attributes says,
for a model card."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmedge.pose import EYES, NOSE, pose
from lmedge.scheme import Scheme

# Individual typology angle in degrees, from light to dark (Chardon et al., 1991). Of a photo it measures skin and light
# together, so that single faces are often in a neighbouring class; shares of large sets compare well.
SKIN_CLASSES = (("very light", 55), ("light", 41), ("intermediate", 28), ("tan", 10), ("brown", -30), ("dark", -91))
FRONTAL, TURNED = 0.12, 0.3  # nose tip beside the middle of the eyes, in inter-ocular distances
OPEN_MOUTH = 0.08  # distance of the inner lips, in inter-ocular distances
Shares = Callable[[NDArray[np.uint8]], Mapping[str, float]]


def census(
    faces: NDArray[np.uint8], landmarks: NDArray[np.float32], scheme: Scheme, attributes: Shares | None = None
) -> dict[str, Any]:
    """Shares of the faces `[N, H, W, 3]` with landmarks `[N, K, 2]` (pixels): skin (typology angle on the cheeks), head
    turned aside, mouth open; what the scheme lacks points of is left out. `attributes`, as `Labeller.shares`, says
    which share has glasses, is male, smiles."""
    turned, gap = pose(landmarks, scheme)
    counted: dict[str, Any] = {"faces": len(faces)}
    if turned is not None:
        aside = np.abs(turned)
        counted["skin"] = _skin(faces, *(landmarks[:, scheme.index(point)] for point in (*EYES, NOSE)))
        counted["turned"] = {"frontal": float((aside < FRONTAL).mean()),
                             "to half profile": float((aside > TURNED).mean())}  # fmt: skip
    if gap is not None:
        counted["mouth open"] = float((gap > OPEN_MOUTH).mean())
    if attributes is not None:
        counted["attributes"] = dict(attributes(faces))
    return counted


def _skin(
    faces: NDArray[np.uint8], right: NDArray[np.float32], left: NDArray[np.float32], nose: NDArray[np.float32]
) -> dict[str, float]:
    angles = np.array([_typology_angle(*case) for case in zip(faces, right, left, nose, strict=True)])
    shares, above = {}, np.inf
    for name, lowest in SKIN_CLASSES:
        shares[name] = float(((angles > lowest) & (angles <= above)).mean())
        above = lowest
    return shares


def _typology_angle(
    face: NDArray[np.uint8], right: NDArray[np.float32], left: NDArray[np.float32], nose: NDArray[np.float32]
) -> float:
    """arctan((L - 50) / b) in degrees, of the median colour (CIE Lab, D65) of both cheeks: below the outer eye corners,
    at the height of the nose tip, a quarter of the way in."""
    half = max(1, face.shape[0] // 32)
    pixels = []
    for corner in (right, left):
        x, y = corner + 0.25 * (nose - corner), nose
        column = int(np.clip(round(float(x[0])), half, face.shape[1] - 1 - half))
        row = int(np.clip(round(float(y[1])), half, face.shape[0] - 1 - half))
        pixels.append(face[row - half : row + half + 1, column - half : column + half + 1].reshape(-1, 3))
    colour = np.median(np.concatenate(pixels), axis=0) / 255
    linear = np.where(colour > 0.04045, ((colour + 0.055) / 1.055) ** 2.4, colour / 12.92)
    matrix = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    _, y, z = np.asarray(matrix) @ linear / (0.9505, 1.0, 1.089)
    y, z = (np.cbrt(v) if v > 0.008856 else 7.787 * v + 16 / 116 for v in (y, z))
    return float(np.degrees(np.arctan2(116 * y - 16 - 50, 200 * (y - z))))
