"""What a detector learns from: labelled faces, real or generated, and how they are mixed."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lmedge.datasets.augment import Augmentation, augment
from lmedge.landmarks import normalised
from lmedge.scheme import Scheme
from lmedge.style import fit_style


@dataclass(frozen=True)
class LabelledFaces:
    """`images` uint8 `[N, size, size, 3]` and `landmarks` `[N, K, 2]` in pixels."""

    images: NDArray[np.uint8]
    landmarks: NDArray[np.float32]
    scheme: Scheme

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, part: NDArray[np.int64]) -> "LabelledFaces":
        return LabelledFaces(self.images[part], self.landmarks[part], self.scheme)


@dataclass(frozen=True)
class Diet:
    """What a training sees: faces of `real` and, in the share `synthetic_share` of every batch, of `synthetic`; changed
    as `how` says, or as they are."""

    real: LabelledFaces | None
    synthetic: LabelledFaces | None
    synthetic_share: float
    how: Augmentation | None

    def batches(self, steps: int, batch: int, seed: int, first: int = 0) -> Iterator[LabelledFaces]:
        """The batches of a training from step `first` on, the same for the same seed and `first`."""
        random = np.random.default_rng((seed, first) if first else seed)
        for step in range(first, first + steps):
            made = random.binomial(batch, self.synthetic_share) if self.synthetic is not None else 0
            made = batch if self.real is None else made
            parts = [
                faces[random.integers(0, len(faces), number)]
                for faces, number in ((self.real, batch - made), (self.synthetic, made))
                if faces is not None and number
            ]
            images = np.concatenate([part.images for part in parts])
            marks = np.concatenate([part.landmarks for part in parts])
            if self.how is not None:
                images, marks = augment(images, marks, parts[0].scheme, self.how, seed, step * batch)
            yield LabelledFaces(images, marks, parts[0].scheme)

    @property
    def faces(self) -> LabelledFaces:
        """Those in whose style it speaks."""
        faces = self.real if self.real is not None else self.synthetic
        assert faces is not None
        return faces

    def mean_face(self) -> NDArray[np.float32]:
        """Normalised, `[K, 2]`."""
        size = self.faces.images.shape[1]
        return normalised(self.faces.landmarks, size, size).mean(axis=0)


def restyled(synthetic: LabelledFaces, real: LabelledFaces, seen: NDArray[np.float32]) -> LabelledFaces:
    """Generated faces with their landmarks where those of the real ones are, as far as these tell: L-Gen speaks as the
    annotator that it learnt from, who finds `seen` `[N, K, 2]` on the real faces, nan where nothing."""
    known = np.isfinite(seen).all(axis=(1, 2))
    if not known.any():
        return synthetic
    styled = fit_style(seen[known], real.landmarks[known], real.scheme)
    return replace(synthetic, landmarks=styled(synthetic.landmarks))
