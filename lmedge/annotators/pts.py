"""Landmarks that people placed: 300-W `.pts` files beside photos."""

from collections.abc import Sequence, Set
from pathlib import Path
from typing import Any

import numpy as np

from lmedge.annotators.annotator import Annotator, Picture, Points
from lmedge.errors import LmedgeError, Rejected, UsageError
from lmedge.landmarks import far_outside, read_pts
from lmedge.scheme import IBUG68, Scheme, converted, refuse_missing


class Pts(Annotator):
    """The points in the file beside a photo, which are those of `given`: the file says no more than how many."""

    name, title, version = "pts", "the .pts files", "1"

    def __init__(self, given: Scheme = IBUG68):
        self.given = given

    @property
    def points(self) -> Set[str]:
        return self.given.places.keys()

    def check(self, scheme: Scheme, photos: Sequence[Path] = ()) -> None:
        refuse_missing(self.points, scheme, f"--pts-scheme {self.given}")
        if not any(beside(photo).is_file() for photo in photos):
            raise UsageError("--annotator pts: there is no .pts file beside any of the photos.")

    def facts(self) -> dict[str, Any]:
        return {"pts_scheme": self.given.to_json()}

    def find(self, picture: Picture, scheme: Scheme) -> Points:
        """Reads them. Raises Rejected for a file that is absent, damaged, or has other points."""
        file = None if picture.path is None else beside(picture.path)
        if file is None or not file.is_file():
            raise Rejected("no .pts file")
        try:
            read = read_pts(file)
        except LmedgeError:
            raise Rejected("unreadable .pts file") from None
        if len(read) != self.given.count:
            raise Rejected(f".pts of {len(read)} points, not the {self.given.count} of --pts-scheme {self.given}")
        points = ((read + 0.5) * picture.scale - 0.5).astype(np.float32)
        height, width = picture.pixels.shape[:2]
        far = far_outside(points, width, height)
        if far.any():
            x, y = read[far][0] + 1
            raise Rejected(f".pts point far outside of the picture: {x:g}, {y:g} in {file.name}")
        return converted(points, self.given, scheme)


def beside(photo: Path) -> Path:
    """Where the hand-placed landmarks of a photo would be."""
    return photo.with_suffix(".pts")
