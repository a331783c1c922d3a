"""What an annotator is: it gets a face with all that is known of it, and says where its landmarks are."""

from abc import ABC, abstractmethod
from collections.abc import Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray

from lmedge.landmarks import mirrored
from lmedge.provenance import NOT_STATED, Provenance
from lmedge.scheme import Scheme, refuse_missing

Points = NDArray[np.float32]
View = Literal["plain", "mirror", "shifted"]
SHIFT = 1 / 32  # of the side of a face: 2 pixels of 64


@dataclass(frozen=True)
class Picture:
    """A face, for whoever says where its landmarks are.

    `pixels` `[H, W, 3]` RGB, upright. `to_face` `[2, 3]` maps them to the square of the face, `size` pixels of it.
    `path` of the photo, and `scale`, pixels here for each pixel of its file in x and y; None for what is no photo.
    `exact` `[68, 2]`, iBUG's points in pixels, of a face that was drawn with them.
    """

    pixels: NDArray[np.uint8]
    to_face: NDArray[np.float64]
    size: int
    path: Path | None = None
    scale: tuple[float, float] = (1.0, 1.0)
    exact: Points | None = None

    @classmethod
    def of_face(cls, face: NDArray[np.uint8], exact: Points | None = None) -> "Picture":
        """A stored, generated or drawn face `[S, S, 3]`, which fills its picture."""
        return cls(face, np.eye(2, 3), len(face), exact=exact)


class Annotator(ABC):
    """Places landmarks; `lmedge.annotators.registry.register` makes one known by its `name`.

    `title`: what people call it. `version`: of what decides where the points are. `points`: those that it can place, as
    schemes name them (`ibug68/30`). `looks`: does it need nothing but the pixels of a face, so that it can say where
    the landmarks of a generated one are? It travels to worker processes by pickle before it is opened there: what
    cannot travel, such as a graph, is made by `open`.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    looks: ClassVar[bool] = False

    @property
    @abstractmethod
    def version(self) -> str: ...

    @property
    @abstractmethod
    def points(self) -> Set[str]: ...

    @abstractmethod
    def find(self, picture: Picture, scheme: Scheme) -> Points | None:
        """The landmarks `[K, 2]` of `scheme`, in pixels of the picture; None where there is no face. Raises Rejected
        with another reason, and UsageError for a scheme that it does not give."""

    def open(self) -> None:  # noqa: B027, as most need nothing
        """Loads what `find` needs, in the process that will call it."""

    def close(self) -> None:  # noqa: B027
        """Frees it."""

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def gives(self, scheme: Scheme) -> bool:
        """Can it place all points of this scheme?"""
        return self.points >= set(scheme.points)

    def check(self, scheme: Scheme, photos: Sequence[Path] = ()) -> None:
        """Raises UsageError where it cannot place the points of a scheme, or on none of these photos."""
        refuse_missing(self.points, scheme, self.title)

    def facts(self) -> dict[str, Any]:
        """What else a dataset says of how its landmarks were placed."""
        return {}

    def provenance(self, crop: dict[str, Any], licence: str = NOT_STATED) -> Provenance:
        """What is noted of faces that it has annotated, of photos cut with these options."""
        return Provenance(self.name, self.version, crop, licence)

    def of_face(self, face: NDArray[np.uint8], scheme: Scheme, view: View = "plain") -> Points | None:
        """Landmarks `[K, 2]` in pixels of a stored or generated face `[S, S, 3]`, seen as `prepare` sees one; or None.

        In another `view` it is looked at in a mirror, or `SHIFT` of its side further to the right; the points are
        those of the face as given. How much they differ says how exact the annotator is.
        """
        if view == "mirror":
            points = self.find(Picture.of_face(np.ascontiguousarray(face[:, ::-1])), scheme)
            return None if points is None else mirrored(points, len(face), scheme)
        to_face = np.eye(2, 3)
        to_face[0, 2] = SHIFT * len(face) if view == "shifted" else 0.0
        return self.find(Picture(face, to_face, len(face)), scheme)
