"""Landmarks of generated faces as the photos' own annotator would place them: those of two never mix as they are."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmedge.annotators.annotator import Annotator, View
from lmedge.annotators.looking import look
from lmedge.errors import LmedgeError, UsageError
from lmedge.executor import Executor
from lmedge.faces.records import FaceDataset
from lmedge.inversion.latents import Latents
from lmedge.landmarks import nme
from lmedge.progress import console, progress
from lmedge.scheme import Scheme
from lmedge.style import fit_style

Points = NDArray[np.float32]
MOST_FACES = 1000  # that are looked at: more make the fit no better
FEWEST_FACES = 20  # on which both must have landmarks
FOLDS = 5  # each face is measured by a fit to the others


@dataclass(frozen=True)
class Style:
    """`moved` turns landmarks `[N, K, 2]` in pixels, as `annotator` gives them, into those of the photos. `faces` that
    have both; mean NMEs of faces left out of the fit, `before` and `after` it."""

    annotator: str
    moved: Callable[[Points], Points]
    faces: int
    before: float
    after: float

    def figures(self) -> dict[str, Any]:
        """For the record of a training."""
        return {name: value for name, value in vars(self).items() if name != "moved"}


def style_of(
    latents: Latents, training: NDArray[np.int64], annotator: Annotator, views: tuple[View, ...],
    executor: Executor | None = None,
) -> Style:  # fmt: skip
    """Fits what `annotator` sees in `views` of the faces `training` (indices of latents) to where their own landmarks
    are. Raises UsageError where it cannot: the dataset is gone, or it finds too few of them."""
    own = latents.provenance.landmarks
    whose = f"{latents.dataset} has landmarks of {own} and generated faces have those of {annotator.title}"
    try:
        dataset = FaceDataset(latents.dataset)
        if dataset.digest != latents.digest:
            raise LmedgeError(f"{latents.dataset} holds other faces now.")
    except LmedgeError as error:
        raise UsageError(f"{whose}, which can be fitted on its photos only ({error}); take --data inverted.") from None
    some = training[np.unique(np.linspace(0, len(training) - 1, MOST_FACES).round().astype(np.int64))]
    faces = dataset.read(latents.index[some])
    with progress(f"{annotator.title} on photos", len(some), "faces") as advance:
        seen = look(annotator, faces["image"], latents.scheme, advance, views, executor)
    if len(seen.at) < FEWEST_FACES:
        raise UsageError(
            f"{whose}, which finds a face on {len(seen.at)} of {len(some)} photos, too few to fit it; take --data "
            "inverted."
        )
    style = fitted(annotator.title, seen.landmarks, faces["landmarks"][seen.at], latents.scheme)
    console.print(
        f"{whose}, fitted on {style.faces} photos: on those left out NME {style.before:.2%} before and "
        f"{style.after:.2%} after"
    )
    return style


def fitted(annotator: str, seen: Points, placed: Points, scheme: Scheme) -> Style:
    """The fit of landmarks `seen` `[N, K, 2]` to those `placed` on the same faces, measured on faces left out."""
    left_out = np.arange(len(seen)) % FOLDS
    after = np.zeros(len(seen), np.float32)
    for fold in range(FOLDS):
        rest, part = left_out != fold, left_out == fold
        after[part] = nme(fit_style(seen[rest], placed[rest], scheme)(seen[part]), placed[part], scheme)
    before = float(nme(seen, placed, scheme).mean())
    return Style(annotator, fit_style(seen, placed, scheme), len(seen), before, float(after.mean()))
