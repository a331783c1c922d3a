"""Which points of generated faces are marked as hidden."""

from lmedge.bounds import require
from lmedge.datasets.formats import Format
from lmedge.errors import UsageError
from lmedge.runtime import FaceModel

POINT_CONFIDENCE = 0.1  # below which a point is, where nothing is said


def least_sure(asked: float | None, model: FaceModel, format_: Format) -> float:
    """The confidence of a point that is not hidden. Raises UsageError where one is asked for and the model does not say
    how sure it is of points, or the format has no place for it."""
    if asked is None:
        return POINT_CONFIDENCE
    require("--min-point-confidence", asked, 0, 1)
    if not model.knows_point_confidence:
        raise UsageError(
            f"--min-point-confidence {asked:g}: the model gives no confidence of points; train L-Gen again and export "
            "the run."
        )
    if not format_.has_visibility:
        raise UsageError(
            f"--min-point-confidence {asked:g}: --format {format_.name} cannot say that a point is hidden; take coco."
        )
    return asked
