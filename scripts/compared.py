"""How drawn faces compare with photos: figures, and the table of them."""

from dataclasses import asdict

import numpy as np

from lmedge.annotators.face_mesh import FaceMesh
from lmedge.annotators.looking import look
from lmedge.faces.records import FaceDataset
from lmedge.judging.census import OPEN_MOUTH
from lmedge.judging.distances import compare
from lmedge.judging.manifold import manifold
from lmedge.pose import degrees, pose
from lmedge.progress import progress

SEED = 5
ASIDE = 15  # degrees
DISTANCES = ("frechet", "kernel")
SHOWN = ("Eyeglasses", "Male", "Smiling", "Young")  # of the attributes, in the table


def halves(dataset: FaceDataset, among: np.ndarray, samples: int) -> tuple[np.ndarray, np.ndarray]:
    """So many faces of a dataset `[N, S, S, 3]`, from those at `among`, and as many others; fewer where there are no
    more."""
    chosen = np.random.default_rng(SEED).choice(among, min(2 * samples, len(among) // 2 * 2), replace=False)
    first, second = (dataset.images(np.sort(part)) for part in np.split(chosen, 2))
    return first, second


def seen_on(faces: np.ndarray, dataset: FaceDataset) -> tuple[dict, np.ndarray, np.ndarray]:
    """What Face Mesh reads from faces: figures, indices of those on which it finds one, their landmarks."""
    with progress("look", len(faces), "faces") as advance:
        seen = look(FaceMesh(), faces, dataset.scheme, advance)
    turned, gap = pose(seen.landmarks, dataset.scheme)
    yaw = degrees(turned)
    return {"face_found": len(seen.at) / len(faces), "yaw_sd": float(yaw.std()),
            "beyond_15": float((np.abs(yaw) > ASIDE).mean()),
            "mouth_open": float((gap > OPEN_MOUTH).mean())}, seen.at, seen.landmarks  # fmt: skip


def against(ours: np.ndarray, real: np.ndarray) -> dict:
    """Distances and shares of two sets of features."""
    frechet, kernel = compare(ours, real, SEED)
    return {"frechet": asdict(frechet), "kernel": asdict(kernel), **manifold(ours, real).to_json()}


def table(results: dict, names: list[str]) -> None:
    """Prints a line for each result."""
    for features in names:
        heads = ("precision", "recall", "density", "coverage")
        print(f"\nfeatures {features}")
        print(f"{'':<16}{'kimg':>7}{'Frechet':>16}{'kernel':>18}" + "".join(f"{head:>10}" for head in heads))
        for name, found in results.items():
            figures = found["features"][features]
            frechet, kernel = (f"{figures[key]['value']:.3g} ± {figures[key]['error']:.1g}" for key in DISTANCES)
            kimg = f"{found['kimg']:g}" if found.get("kimg") else ""
            print(f"{name:<16}{kimg:>7}{frechet:>16}{kernel:>18}" + "".join(f"{figures[h]:>10.2f}" for h in heads))
    heads = ("face found", "yaw sd", "beyond 15", "mouth open", "asked NME", "diversity")
    print("\n" + " " * 16 + "".join(f"{head:>12}" for head in heads))
    for name, found in results.items():
        asked = f"{found['asked_nme']:.1%}" if "asked_nme" in found else ""
        diversity = f"{found['diversity']:.2f}" if "diversity" in found else ""
        print(f"{name:<16}{found['face_found']:>12.1%}{found['yaw_sd']:>12.1f}{found['beyond_15']:>12.0%}"
              f"{found['mouth_open']:>12.0%}{asked:>12}{diversity:>12}")  # fmt: skip
    if shown := [name for name in SHOWN if name in next(iter(results.values())).get("attributes", ())]:
        print("\n" + " " * 16 + "".join(f"{name:>12}" for name in shown))
        for name, found in results.items():
            print(f"{name:<16}" + "".join(f"{found['attributes'][each]:>12.1%}" for each in shown))
