"""How good an L-Gen is: errors on faces that it has not learnt from."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmedge.latent import LatentSpec
from lmedge.lgen.faces import Faces, Split
from lmedge.run import Run

FAILURE = 0.1  # NME above which a face counts as failed, as in the 300-W challenge
CURVE_POINTS = 101  # of the cumulative error curve, from 0 to twice the failure threshold
QUARTER = 0.25  # share of the points that are looked at as the most, and as the least sure
KEPT = 0.8  # share of the faces with the highest confidence, whose error is reported


@dataclass(frozen=True)
class LgenResult:
    """`metrics` as written to RUN/lgen.json."""

    run: Run
    metrics: dict[str, Any]


def error_figures(errors: NDArray[np.float32]) -> dict[str, Any]:
    """Mean, median, failure rate at 0.1, and the cumulative error curve of NMEs `[N]`."""
    at = np.linspace(0, 2 * FAILURE, CURVE_POINTS)
    return {
        "faces": len(errors),
        "nme": float(errors.mean()),
        "nme_median": float(np.median(errors)),
        "failure_rate": float((errors > FAILURE).mean()),
        "curve": {"nme": at.tolist(), "share": [float((errors <= x).mean()) for x in at]},
    }


def explained_share(predicted: NDArray[np.float32], true: NDArray[np.float32]) -> float:
    """Share of the variance of landmarks `[N, K, 2]` around their mean face that a prediction has; 0 where they do not
    vary, as those of one face."""
    variance = np.square(true - true.mean(axis=0)).sum()
    return float(1 - np.square(predicted - true).sum() / variance) if variance else 0.0


def linear(faces: Faces) -> Callable[..., NDArray[np.float32]]:
    """The linear regression from z to landmarks, least squares with an intercept: what a network must beat."""
    with_one = np.column_stack([faces.z, np.ones(len(faces))])
    weights = np.linalg.lstsq(with_one, faces.landmarks.reshape(len(faces), -1), rcond=None)[0]

    def predict(z: NDArray[np.float32], training: bool = False) -> NDArray[np.float32]:
        flat = np.column_stack([z, np.ones(len(z))]) @ weights
        return flat.reshape(len(z), -1, 2).astype(np.float32)

    return predict


def held_out_figures(part: Split, network: Any, learnt: Faces, latent: LatentSpec) -> dict[str, Any]:
    """Errors on held-out faces, and those of simpler ways to say where the landmarks are."""
    faces = part.faces[part.held_out]
    mean_face = np.broadcast_to(learnt.landmarks.mean(axis=0), faces.landmarks.shape)
    straight, asked = linear(learnt)(faces.z), latent.asked(faces.z)
    return {
        "held_out": error_figures(faces.errors(network)),
        "mean_face_nme": float(faces.nme(mean_face).mean()),
        "linear_nme": float(faces.nme(straight).mean()),
        "explained": explained_share(np.asarray(network(faces.z, training=False)), faces.landmarks),
        "linear_explained": explained_share(straight, faces.landmarks),
        **({} if asked is None else {"asked_nme": float(faces.nme(asked).mean())}),
    }


def most_confident(sure: NDArray[np.float32]) -> NDArray[np.int64]:
    """Indices of the `KEPT` share of faces with the highest confidence `[N]`."""
    return np.argsort(-sure, kind="stable")[: max(1, round(KEPT * len(sure)))]


def kept_figures(confidence: Any, faces: Faces, network: Any) -> dict[str, float]:
    """Does the confidence rank errors? Mean NME of the faces, and of the most confident ones."""
    errors, sure = faces.errors(network), np.asarray(confidence(faces.z, training=False))[:, 0]
    kept = most_confident(sure)
    best = np.sort(errors)[: len(kept)]
    return {"kept": KEPT, "nme": float(errors.mean()), "nme_kept": float(errors[kept].mean()),
            "nme_kept_at_best": float(best.mean())}  # fmt: skip


def quarter_figures(confidence: Any, faces: Faces, network: Any) -> dict[str, float]:
    """Does the confidence of points rank their errors? See `ranked`."""
    return ranked(faces.point_errors(network), np.asarray(confidence(faces.z, training=False)))


def ranked(errors: NDArray[Any], sure: NDArray[Any]) -> dict[str, float]:
    """Mean error of points `[N, K]`, and of the quarters of them whose confidences `[N, K]` are highest and lowest;
    points whose error is nan are left out. `spearman`: the rank correlation of error and lack of confidence, 1 at best;
    `spearman_within`: the mean of that of each point, for which it does not help to know which points are hard."""
    known = np.isfinite(errors)
    order = np.argsort(-sure[known], kind="stable")
    quarter = max(1, round(QUARTER * len(order)))
    within = [_spearman(each[there], -own[there]) for each, own, there in zip(errors.T, sure.T, known.T, strict=True)
              if there.sum() > 2]  # fmt: skip
    off = errors[known]
    return {"quarter": QUARTER, "error": float(off.mean()), "error_surest": float(off[order[:quarter]].mean()),
            "error_least_sure": float(off[order[-quarter:]].mean()), "spearman": _spearman(off, -sure[known]),
            "spearman_within": float(np.mean(within)) if within else 0.0}  # fmt: skip


def told(ranks: dict[str, float]) -> str:
    """What `ranked` found, in a line."""
    return (
        f"{ranks['error_surest']:.2%} of the surest quarter of points, {ranks['error_least_sure']:.2%} of the least "
        f"sure, {ranks['error']:.2%} of all (rank correlation {ranks['spearman']:.2f})"
    )


def _spearman(one: NDArray[Any], other: NDArray[Any]) -> float:
    """The rank correlation of `[N]` and `[N]`; 0 where one of them is the same everywhere."""
    if np.ptp(one) == 0 or np.ptp(other) == 0:
        return 0.0
    ranks = [np.argsort(np.argsort(values, kind="stable"), kind="stable") for values in (one, other)]
    return float(np.corrcoef(np.array(ranks, np.float64))[0, 1])
