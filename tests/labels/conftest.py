"""Labels of a model that needs no network: its faces are where its latents say."""

import numpy as np
import pytest

from lmedge.labels.folder import LabelFolder
from lmedge.latent import LatentSpec
from lmedge.provenance import Provenance
from lmedge.runtime.face_model import Drawn, FaceModel
from lmedge.scheme import IBUG49, Scheme

EYES = Scheme("eyes", ("right pupil", "left pupil", "chin"), (1, 0, 2), ((0, 1),), (0, 1), ("hand",) * 3)


class Plain(FaceModel):
    """Eight numbers move, turn and shape 49 points; the picture shows two pupils and a chin that follow from them, and
    from a part of the latent that the points do not show."""

    width = height = 32
    scheme, knows_confidence, name, version, training = IBUG49, True, "plain", "0123456789ab", {}
    provenance, backing, packages = Provenance("drawn", "1"), "NumPy", ("numpy",)

    def __init__(self):
        self.latent = LatentSpec.uniform(8)
        random = np.random.default_rng(5)
        self.mean = random.uniform(0.2, 0.8, (49, 2))
        self.mean[[19, 28]] = (0.3, 0.4), (0.7, 0.4)
        self.axes = random.normal(0, 0.02, (8, 49, 2))

    def _points(self, z):
        return (self.mean + np.tensordot(z, self.axes, 1)).astype(np.float32)

    def truth(self, z):
        """The three points `[N, 3, 2]` in pixels: not linear in what is known."""
        points = self._points(z) * 32 - 0.5
        right, left = points[:, 19:22].mean(axis=1), points[:, 25:28].mean(axis=1)
        chin = points.mean(axis=1) + np.stack([2 * np.sin(2 * z[:, 0]), 8 + z[:, 1]], axis=-1)
        return np.clip(np.stack([right, left, chin], axis=1), 0, 31)

    def _drawn(self, z):
        images = np.full((len(z), 32, 32, 3), 90, np.uint8)
        for image, points in zip(images, self.truth(z).round().astype(int), strict=True):
            image[points[:, 1], points[:, 0]] = 255
        return Drawn(images, self._points(z), (0.5 + 0.5 * z[:, 7]).astype(np.float32))


@pytest.fixture(scope="session")
def model():
    return Plain()


@pytest.fixture
def labels(model, tmp_path):
    """Four faces without points."""
    labels = LabelFolder.create(tmp_path / "labels", model, EYES)
    faces = model.sample(4)
    labels.add(faces.latents, faces.images)
    return labels
