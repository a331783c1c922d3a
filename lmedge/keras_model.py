"""The face model of Keras networks: of a run, or of any GAN. Calls the networks and imports none of Keras itself."""

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmedge.latent import Latents, LatentSpec
from lmedge.provenance import NOT_STATED, Provenance
from lmedge.runtime.face_model import Drawn, FaceModel, finite
from lmedge.scheme import Scheme

BATCH = 64  # faces that a generator draws at once


class Generator:
    """The half that draws: `network`, z `[B, Z]` -> images `[B, H, W, 3]` about -1..1, and the `latent` that it draws
    from, uniform in -1..1 where nothing is said."""

    def __init__(self, network: Any, latent: LatentSpec | None = None):
        self.network, self.latent = network, latent or LatentSpec.uniform(network.input_shape[-1])
        _, self.height, self.width, _ = network.output_shape

    def values(self, z: Latents) -> NDArray[np.float32]:
        """Images as the network gives them `[N, H, W, 3]`. Raises LmedgeError where they are not finite."""
        images = np.empty((len(z), self.height, self.width, 3), np.float32)
        for i in range(0, len(z), BATCH):
            images[i : i + BATCH] = finite(self.network(z[i : i + BATCH], training=False), "the generator")
        return images

    def images(self, z: Latents) -> NDArray[np.uint8]:
        """Images in levels `[N, H, W, 3]`. Raises LmedgeError where they are not finite."""
        images = np.empty((len(z), self.height, self.width, 3), np.uint8)
        for i in range(0, len(z), BATCH):
            images[i : i + BATCH] = to_uint8(self.values(z[i : i + BATCH]))
        return images


class KerasFaceModel(FaceModel):
    """The face model of Keras networks, on a GPU where there is one.

    `lgen` maps z to normalised landmarks `[B, K, 2]`; `confidence` and `point_confidence`, where there are such, map z
    to 0..1, `[B, 1]` and `[B, K]`.
    """

    def __init__(
        self,
        generator: Generator,
        lgen: Any,
        confidence: Any = None,
        point_confidence: Any = None,
        *,
        scheme: Scheme,
        provenance: Provenance | None = None,
        name: str = "faces",
        training: dict[str, Any] | None = None,
    ):
        self.generator, self.lgen = generator, lgen
        self.confidence, self.point_confidence = confidence, point_confidence
        self.latent, self.width, self.height, self.scheme = generator.latent, generator.width, generator.height, scheme
        self.knows_confidence, self.knows_point_confidence = confidence is not None, point_confidence is not None
        self.training = training or {}
        licence = self.training.get("licence") or NOT_STATED
        self.provenance = provenance or Provenance(NOT_STATED, "", licence=licence)
        self.name, self.version = name, weights_hash(generator.network)[:12]
        self.backing, self.packages = "Keras in float32", ("keras", "tensorflow")

    def sure(self, z: Latents) -> NDArray[np.float32] | None:
        """The confidence `[N]` of latents `[N, Z]`, without drawing the faces; None where no network says it."""
        if self.confidence is None:
            return None
        return finite(self.confidence(z, training=False), "the confidence")[:, 0]

    @property
    def confidences(self) -> dict[str, Any]:
        """The networks that say how sure L-Gen is, by the name of what they give."""
        both = {"confidence": self.confidence, "point_confidence": self.point_confidence}
        return {name: network for name, network in both.items() if network is not None}

    def _drawn(self, z: Latents) -> Drawn:
        of_points = self.point_confidence
        sure = None if of_points is None else finite(of_points(z, training=False), "the confidence of points")
        return Drawn(self.generator.images(z), self._points(z), self.sure(z), sure)

    def _points(self, z: Latents) -> NDArray[np.float32]:
        return finite(self.lgen(z, training=False), "L-Gen")


def to_uint8(images: Any) -> NDArray[np.uint8]:
    """-1..1 -> 0..255, rounded."""
    return np.clip(np.asarray(images) * 127.5 + 128.0, 0, 255).astype(np.uint8)


def weights_hash(network: Any) -> str:
    """SHA-256 of a network's weights: do these latents belong to this generator?"""
    digest = hashlib.sha256()
    for weight in network.get_weights():
        digest.update(np.ascontiguousarray(weight).tobytes())
    return digest.hexdigest()
