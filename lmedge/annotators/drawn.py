"""Landmarks of faces that lmedge has drawn: those that they were drawn with."""

from collections.abc import Sequence
from pathlib import Path

from lmedge.annotators.annotator import Annotator, Picture, Points
from lmedge.errors import Rejected, UsageError
from lmedge.scheme import IBUG68, Scheme, chosen


class Drawn(Annotator):
    """The exact points of cartoons."""

    name, title, version = "drawn", "a drawn face", "1"
    points = frozenset(IBUG68.points)

    def check(self, scheme: Scheme, photos: Sequence[Path] = ()) -> None:
        super().check(scheme, photos)
        if photos:
            raise UsageError("--annotator drawn: photos have not been drawn; take another, or lmedge toy.")

    def find(self, picture: Picture, scheme: Scheme) -> Points:
        """They come with the picture."""
        if picture.exact is None:
            raise Rejected("not a drawing")
        return chosen(picture.exact, IBUG68.places, scheme, self.title)
