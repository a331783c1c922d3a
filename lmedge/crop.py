"""How the square of a face was cut out of a photo, as datasets, runs and models record it. Needs nothing but Python, as
it runs on the device."""

from typing import Literal, cast, get_args

from lmedge.errors import LmedgeError
from lmedge.provenance import Provenance

Crop = Literal["haar", "landmarks", "none"]
MARGIN = 0.1  # on each side of the Haar box, of its side


def crop_of(provenance: Provenance) -> tuple[Crop, float]:
    """How faces of `provenance` were cut, and the margin on each side of the Haar box, as a share of its side; or as
    `lmedge prepare` does it where they never were photos. Raises LmedgeError for a way that this version has not."""
    how = provenance.origin.crop
    crop, margin = how.get("crop", "haar"), how.get("margin", MARGIN)
    if crop not in get_args(Crop) or not isinstance(margin, int | float) or not 0 <= margin <= 1:
        raise LmedgeError(f"faces were cut with {dict(how)}, which this version cannot do.")
    return cast(Crop, crop), float(margin)
