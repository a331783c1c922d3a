"""Upsampling folded into the convolution behind it, on the Keras model.

Nearest x2 followed by a 3x3 convolution reads every pixel of the small image up to four times. The same image
comes from convolutions of 2x2 on the small one, one for each of the four places of a pixel in its 2x2 block
(sub-pixel convolution, Shi et al., arXiv 1609.05158): 4/9 of the multiply-adds and no upsampling op, borders
included. Per axis the taps `w0 w1 w2` become `w0 + w1, w2` for the second pixel of a block and `w0, w1 + w2` for
the first one of the next.
"""

from collections import Counter
from typing import Any, Literal

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

Fold = Literal["phases", "transposed", "none"]
# [phase, tap of the 2-tap kernel, tap of the 3-tap kernel]
_PHASES = np.array([[[1, 1, 0], [0, 0, 1]], [[1, 0, 0], [0, 1, 1]]], np.float64)
# [tap of the 4-tap kernel, tap of the 3-tap kernel]; a transposed convolution is a flipped one
_TRANSPOSED = np.array([[0, 0, 1], [0, 1, 1], [1, 1, 0], [1, 0, 0]], np.float64)


def phase_kernel(kernel: NDArray[np.float32]) -> NDArray[np.float32]:
    """3x3 kernel `[3, 3, I, O]` -> kernel `[2, 2, I, 4 * O]` whose output, through depth-to-space and without its
    outermost pixels, is the convolution of the upsampled image."""
    folded = np.einsum("pat,qbs,tsio->abipqo", _PHASES, _PHASES, kernel.astype(np.float64))
    return folded.reshape(2, 2, kernel.shape[2], 4 * kernel.shape[3]).astype(np.float32)


def transposed_kernel(kernel: NDArray[np.float32]) -> NDArray[np.float32]:
    """3x3 kernel `[3, 3, I, O]` -> kernel `[4, 4, O, I]` of the transposed convolution with stride 2."""
    return np.einsum("at,bs,tsio->aboi", _TRANSPOSED, _TRANSPOSED, kernel.astype(np.float64)).astype(np.float32)


def reads_in(calls: dict[str, list[list[str]]]) -> Counter[str]:
    """How often each layer of a `wiring` is read."""
    return Counter(source for each in calls.values() for call in each for source in call)


def phases_to_pixels(x: Any) -> Any:
    """`[B, H + 1, W + 1, 4 * C]` -> `[B, 2H, 2W, C]`: the four phases side by side, the outermost pixels cut off."""
    return tf.nn.depth_to_space(x, 2)[:, 1:-1, 1:-1]


def repeated(x: Any) -> Any:
    """`[B, H, W, C]` -> `[B, 2H, 2W, C]`, each pixel four times: nearest x2 of ops that XNNPACK has."""
    return tf.nn.depth_to_space(tf.concat([x] * 4, axis=-1), 2)


class Repeated(keras.layers.Layer):
    """`repeated` as a layer."""

    def call(self, x: Any) -> Any:
        return repeated(x)


class PhasesToPixels(keras.layers.Layer):
    """`phases_to_pixels` as a layer."""

    def call(self, x: Any) -> Any:
        return phases_to_pixels(x)


def wiring(model: Any) -> dict[str, list[list[str]]]:
    """The layers of a functional model -> for each time one is called, the names of the layers that it reads; "" is
    the model's input."""
    made_by: dict[int, str] = {}  # KerasTensor -> layer
    calls: dict[str, list[list[str]]] = {}
    tensors = []  # kept alive: made_by goes by their id

    def look(layer: Any, *args: Any, **kwargs: Any) -> Any:
        given = keras.tree.flatten((args, kwargs))
        reads = [made_by.get(id(tensor), "") for tensor in given if isinstance(tensor, keras.KerasTensor)]
        calls.setdefault(layer.name, []).append(reads)
        outputs = layer(*args, **kwargs)
        for tensor in keras.tree.flatten(outputs):
            tensors.append(tensor)
            made_by[id(tensor)] = layer.name
        return outputs

    keras.models.clone_model(model, call_function=look)
    return calls


def copied(network: Any) -> Any:
    """A copy of a network, of layers of its own and with its weights."""
    copy = keras.models.clone_model(network)
    copy.set_weights(network.get_weights())
    return copy


def foldable(model: Any) -> dict[str, str]:
    """Names of the convolutions that can be folded -> name of the upsampling before them."""
    calls = wiring(model)
    found = {}
    for layer in model.layers:
        readers = [name for name, reads in calls.items() if any(layer.name in each for each in reads)]
        if _doubles(layer) and readers and all(_folds(model.get_layer(r)) and len(calls[r]) == 1 for r in readers):
            found.update(dict.fromkeys(readers, layer.name))
    return found


def _doubles(layer: Any) -> bool:
    return (
        isinstance(layer, keras.layers.UpSampling2D)
        and tuple(layer.size) == (2, 2)
        and layer.interpolation == "nearest"
        and layer.data_format == "channels_last"
    )


def _folds(layer: Any) -> bool:
    return (
        type(layer) is keras.layers.Conv2D
        and tuple(layer.kernel_size) == (3, 3)
        and tuple(layer.strides) == (1, 1)
        and tuple(layer.dilation_rate) == (1, 1)
        and layer.padding == "same"
        and layer.groups == 1
        and layer.data_format == "channels_last"
    )


def fold_upsampling(model: Any, form: Fold = "phases") -> Any:
    """A model that computes the same from the same input without `foldable` upsamplings; `model` itself where
    there are none. The activation is applied before the pixels are put in place, which changes nothing. Other nearest
    x2 upsamplings, such as those of skip connections, become `Repeated`.

    "phases": 2x2 convolution, depth-to-space. "transposed": 4x4 transposed convolution with stride 2.
    """
    folds = foldable(model) if form != "none" else {}
    if not folds:
        return model
    skipped = set(folds.values())
    kernels: dict[str, tuple[Any, list[NDArray[np.float32]]]] = {}

    def call(layer: Any, *args: Any, **kwargs: Any) -> Any:
        if layer.name in skipped:
            return args[0]
        if _doubles(layer):
            return Repeated(dtype=layer.dtype_policy.name, name=layer.name)(args[0])
        if layer.name not in folds:
            return layer(*args, **kwargs)
        kernel, *bias = model.get_layer(layer.name).get_weights()
        options = {"activation": layer.activation, "use_bias": layer.use_bias, "dtype": layer.dtype_policy,
                   "name": layer.name}  # fmt: skip
        if form == "transposed":
            folded = keras.layers.Conv2DTranspose(layer.filters, 4, 2, padding="same", **options)
            kernels[layer.name] = folded, [transposed_kernel(kernel), *bias]
            return folded(args[0])
        padded = keras.layers.ZeroPadding2D(1, dtype=layer.dtype_policy, name=f"{layer.name}_pad")(args[0])
        folded = keras.layers.Conv2D(4 * layer.filters, 2, **options)
        kernels[layer.name] = folded, [phase_kernel(kernel), *(np.tile(b, 4) for b in bias)]
        return PhasesToPixels(dtype=layer.dtype_policy.name, name=f"{layer.name}_pixels")(folded(padded))

    folded_model = keras.models.clone_model(model, call_function=call)
    for layer in folded_model.layers:
        if layer.name in kernels:
            layer.set_weights(kernels[layer.name][1])
        elif layer.weights:
            layer.set_weights(model.get_layer(layer.name).get_weights())
    return folded_model
