"""What runs on the device: needs NumPy, Pillow and one TFLite interpreter, never TensorFlow.

from lmedge.runtime import FaceSampler

faces = FaceSampler("bundle").sample(count=16, seed=0)  # FaceSampler() takes the model that comes with lmedge
faces.images     # uint8 [16, H, W, 3], RGB
faces.landmarks  # float32 [16, K, 2], pixels
"""

from lmedge.runtime.bundle import Bundle
from lmedge.runtime.faces import Faces
from lmedge.runtime.latents import between, prior
from lmedge.runtime.pool import FacePool
from lmedge.runtime.sampler import FaceSampler

__all__ = ["Bundle", "FacePool", "FaceSampler", "Faces", "between", "prior"]
