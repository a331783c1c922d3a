"""What runs on the device: needs NumPy, Pillow and one TFLite interpreter, never TensorFlow.

from lmedge.runtime import FaceSampler

faces = FaceSampler("bundle").sample(count=16, seed=0)  # FaceSampler() takes the model that comes with lmedge
faces.images     # uint8 [16, H, W, 3], RGB
faces.landmarks  # float32 [16, K, 2], pixels
"""

from typing import TYPE_CHECKING

from lmedge.lazy import lazily

if TYPE_CHECKING:
    from lmedge.latent import LatentSpec, between
    from lmedge.runtime.bundle import Bundle
    from lmedge.runtime.face_model import FaceModel
    from lmedge.runtime.faces import Faces
    from lmedge.runtime.pool import FacePool
    from lmedge.runtime.sampler import FaceSampler

__all__ = ["Bundle", "FaceModel", "FacePool", "FaceSampler", "Faces", "LatentSpec", "between"]
__getattr__ = lazily(__name__, {
    "Bundle": "lmedge.runtime.bundle", "FaceModel": "lmedge.runtime.face_model",
    "FacePool": "lmedge.runtime.pool", "FaceSampler": "lmedge.runtime.sampler",
    "Faces": "lmedge.runtime.faces", "LatentSpec": "lmedge.latent", "between": "lmedge.latent",
})  # fmt: skip
