"""Quantiles of the normal distribution, by a formula short enough to be the same in every language."""

import numpy as np
from numpy.typing import NDArray

# P. J. Acklam (2003): rational functions, relative error below 1.2e-9, so that a float32 is the same everywhere.
_MIDDLE = (-39.69683028665376, 220.9460984245205, -275.9285104469687, 138.3577518672690, -30.66479806614716,
           2.506628277459239)  # fmt: skip
_MIDDLE_BELOW = (-54.47609879822406, 161.5858368580409, -155.6989798598866, 66.80131188771972, -13.28068155288572, 1.0)
_TAIL = (-0.007784894002430293, -0.3223964580411365, -2.400758277161838, -2.549732539343734, 4.374664141464968,
         2.938163982698783)  # fmt: skip
_TAIL_BELOW = (0.007784695709041462, 0.3224671290700398, 2.445134137142996, 3.754408661907416, 1.0)
_WHERE_TAILS_BEGIN = 0.02425


def normal(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """The number below which a share `p` (inside of 0..1) of the normal distribution lies; any shape."""
    tail = np.minimum(p, 1 - p)
    q = np.sqrt(-2 * np.log(tail))
    outside = np.polyval(_TAIL, q) / np.polyval(_TAIL_BELOW, q)
    r = p - 0.5
    inside = r * np.polyval(_MIDDLE, r * r) / np.polyval(_MIDDLE_BELOW, r * r)
    return np.where(tail < _WHERE_TAILS_BEGIN, np.where(p < 0.5, outside, -outside), inside)
