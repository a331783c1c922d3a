"""How the samples of a run compare with its real faces."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmedge.faces.records import FaceDataset
from lmedge.judging.distances import Estimate, compare, relative_diversity
from lmedge.judging.features import Extractor
from lmedge.judging.manifold import Manifold, manifold
from lmedge.judging.neighbours import Neighbours, nearest
from lmedge.progress import progress

DIVERSITY_FACES = 256
NEIGHBOUR_FACES = 64


@dataclass(frozen=True)
class Realism:
    """Distances of samples to real faces, in the features `name`, how well they cover them, and the same of two halves
    of the real faces of the same `count`, which the generator has seen or which are `unseen`; diversity over that of
    real faces; the training face `[M, H, W, 3]` nearest to each of M samples, with its distance, and `ordinary`, the
    median distance of real faces to the nearest one of another person."""

    name: str
    count: int
    unseen: bool
    frechet: Estimate
    kernel: Estimate
    frechet_real: Estimate
    kernel_real: Estimate
    covers: Manifold
    covers_real: Manifold
    diversity: Estimate
    neighbours: Neighbours
    neighbour_faces: NDArray[np.uint8]
    ordinary: float

    def figures(self) -> dict[str, Any]:
        """For metrics.json."""
        names = ("frechet", "kernel", "frechet_real", "kernel_real", "covers", "covers_real", "diversity")
        distances = self.neighbours.distance
        return {"features": self.name, "faces": self.count, "of_held_out_people": self.unseen,
                **{name: getattr(self, name).to_json() for name in names},
                "nearest_training_face": {"median": float(np.median(distances)), "least": float(distances.min()),
                                          "between_real_faces": self.ordinary}}  # fmt: skip

    def lines(self) -> list[tuple[str, str]]:
        """(label, text) for people."""
        distances = self.neighbours.distance
        of = f"features {self.name}, {self.count} faces{' of held-out people' if self.unseen else ''}"
        return [
            ("Frechet distance to real faces", f"{self.frechet} ({of})"),
            ("  between two halves of the real faces", str(self.frechet_real)),
            ("Kernel distance to real faces", f"{self.kernel} ({of})"),
            ("  between two halves of the real faces", str(self.kernel_real)),
            ("Precision and recall", str(self.covers)),
            ("  between two halves of the real faces", str(self.covers_real)),
            ("Diversity, samples against real faces", str(self.diversity)),
            (
                "Nearest training face of a sample",
                f"median {np.median(distances):.1f} levels, least {distances.min():.1f}",
            ),
            ("  nearest other person of a real face", f"median {self.ordinary:.1f} levels"),
        ]


def realism(
    faces: NDArray[np.uint8], dataset: FaceDataset, extract: Extractor, seed: int, unseen: NDArray[np.bool_]
) -> Realism:
    """Compares samples `[N, H, W, 3]` with as many real faces, or with half of those that there are: of faces `unseen`
    `[M]` by the generator, where there are any. The nearest are sought among the others."""
    random = np.random.default_rng(seed)
    compared = np.flatnonzero(unseen) if unseen.any() else np.arange(len(dataset))
    learnt = dataset.part(np.flatnonzero(~unseen))
    count = min(len(faces), len(compared) // 2)
    chosen = random.choice(compared, 2 * count, replace=False)
    total = 3 * count + 4 * len(learnt)
    with progress("compare with real faces", total, "faces") as advance:
        ours = extract(faces[:count], advance)
        first, second = (extract(dataset.images(part), advance) for part in (chosen[:count], chosen[count:]))
        some = chosen[: min(DIVERSITY_FACES, count)]
        shown = min(NEIGHBOUR_FACES, count)
        neighbours = nearest(faces[:shown], learnt, advance=lambda n: advance(2 * n))
        excluded = None if unseen.any() else _same_person(dataset, chosen[:shown])
        real = nearest(dataset.images(chosen[:shown]), learnt, excluded, lambda n: advance(2 * n))
    found = learnt.images(neighbours.index)
    found[neighbours.mirrored] = found[neighbours.mirrored][:, :, ::-1]
    return Realism(
        extract.name, count, bool(unseen.any()), *compare(ours, first, seed), *compare(first, second, seed),
        manifold(ours, first), manifold(second, first),
        relative_diversity(faces[: len(some)], dataset.images(some), seed), neighbours, found,
        float(np.median(real.distance)),
    )  # fmt: skip


def _same_person(dataset: FaceDataset, chosen: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each of the faces the indices of its group, itself included, `[N, M]`, filled up with -1."""
    own = [np.flatnonzero(dataset.groups == dataset.groups[i]) for i in chosen]
    longest = max(map(len, own))
    return np.stack([np.pad(i, (0, longest - len(i)), constant_values=-1) for i in own])
