"""The networks of an int8 variant, as they are quantised."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from convert.fold import copied
from convert.repeated import Repeat


@dataclass(frozen=True)
class Static:
    """Networks as they are quantised, with the float ones that they come from as their teachers.

    `lgen` gives the deviation from `mean`, a face `[K, 2]`, where there is one. `repeat`: what is done to a latent
    before they read it.
    """

    generator: Any
    lgen: Any
    confidences: Mapping[str, Any]
    teachers: tuple[Any, Any]
    mean: NDArray[np.float32] | None
    repeat: Repeat | None

    def reads(self, z: Any) -> Any:
        """Latents `[B, Z]`, also a tensor of them, as the networks read them."""
        return z if self.repeat is None else self.repeat(z)


def centred(lgen: Any, mean: NDArray[np.float32], probe: NDArray[np.float32]) -> tuple[Any, NDArray[np.float32] | None]:
    """A copy of L-Gen whose last bias is less by `mean` `[K, 2]`, and `mean`; `lgen` and None where that is not the
    same as taking it from the output, as tried on `probe`, inputs of the network."""
    last = next((layer for layer in reversed(lgen.layers) if layer.weights), None)
    if not isinstance(last, keras.layers.Dense) or not last.use_bias or last.units != mean.size:
        return lgen, None
    copy = copied(lgen)
    kernel, bias = last.get_weights()
    copy.get_layer(last.name).set_weights([kernel, bias - mean.ravel()])
    if not np.allclose(np.asarray(copy(probe)) + mean, np.asarray(lgen(probe)), atol=1e-5):
        return lgen, None
    return copy, mean
