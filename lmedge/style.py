"""From where one annotator puts landmarks to where another does: people and Face Mesh mean other places by some of the
names."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from lmedge.scheme import Scheme

Points = NDArray[np.float32]
Complex = NDArray[np.complex128]
RIDGE = 1.0  # in squared inter-ocular distances; from 50 to 800 faces the best is between 0.3 and 3


def fit_style(seen: Points, placed: Points, scheme: Scheme) -> Callable[[Points], Points]:
    """A function from landmarks `[N, K, 2]` as one annotator gives them to those of another, learnt from faces that
    have both: `seen` and `placed` `[M, K, 2]`, pixels.

    A ridge regression (Hoerl, Kennard 1970) of the difference on the shape, both in the frame of the outer eye
    corners, so that it does not depend on where a face is, how large and how turned; few faces give little more than
    the mean difference of each point.
    """
    shape, eyes = _in_eye_frame(seen, scheme)
    difference = _flat(_complex(placed - seen) / eyes[:, None])
    middle, offset = shape.mean(axis=0), difference.mean(axis=0)
    centred = shape - middle
    gram = centred.T @ centred + RIDGE * np.eye(shape.shape[1])
    weights = np.linalg.solve(gram, centred.T @ (difference - offset))

    def styled(points: Points) -> Points:
        shape, eyes = _in_eye_frame(points, scheme)
        flat = (shape - middle) @ weights + offset
        half = flat.shape[1] // 2
        moved = (flat[:, :half] + 1j * flat[:, half:]) * eyes[:, None]
        return (points + np.stack([moved.real, moved.imag], axis=-1)).astype(np.float32)

    return styled


def _in_eye_frame(points: Points, scheme: Scheme) -> tuple[NDArray[np.float64], Complex]:
    """Shapes `[N, 2K]` with the outer eye corners at -1/2 and 1/2, and the vectors between the corners `[N]`."""
    right, left = (_complex(points[:, i]) for i in scheme.reference)
    eyes = left - right
    eyes = np.where(np.abs(eyes) < 1e-6, 1e-6, eyes)
    return _flat((_complex(points) - ((right + left) / 2)[:, None]) / eyes[:, None]), eyes


def _complex(points: NDArray[np.floating]) -> Complex:
    """Points `[..., 2]` as numbers x + iy, in which a rotation and a scale are one product."""
    return points[..., 0].astype(np.float64) + 1j * points[..., 1]


def _flat(values: Complex) -> NDArray[np.float64]:
    return np.concatenate([values.real, values.imag], axis=1)
