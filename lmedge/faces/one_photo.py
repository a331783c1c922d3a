"""The face of a single photo, for who asks for one by name."""

from pathlib import Path

from lmedge.errors import LmedgeError, Rejected, UsageError
from lmedge.faces.crop import Cutting, Face, FaceCutter
from lmedge.faces.sources import Source
from lmedge.landmarks import Array, normalised
from lmedge.runtime import FaceModel


def face_in(photo: Path, cutting: Cutting, what: str) -> Face:
    """The face, cut as `cutting` says. Raises LmedgeError where there is none: the photo cannot be `what`."""
    try:
        with FaceCutter(cutting) as cutter:
            return cutter.face(Source(photo, photo.name, ""))
    except Rejected as reason:
        raise LmedgeError(f"{photo} cannot be {what}: {reason}.") from None


def landmarks_in(photo: Path, model: FaceModel) -> Array:
    """Normalised landmarks `[K, 2]` of the face in a photo, cut as those that a model learnt from. Raises UsageError
    where nobody can look for its points, LmedgeError for a photo without a face."""
    if not photo.is_file():
        raise UsageError(f"--like {photo} is no file; name a photo.")
    cutting = Cutting.as_of(model.provenance, model.scheme, model.width)
    if cutting.scheme != model.scheme:
        raise UsageError(
            f"--like {photo}: {cutting.annotator.title} cannot place all points of {model.scheme}; give them with "
            "--pts."
        )
    return normalised(face_in(photo, cutting, "followed").landmarks, model.width, model.height)
