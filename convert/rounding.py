"""Weights rounded to int8 one after another, on the Keras model, each making up for those before it.

To the nearest level, every weight is off by itself, and where inputs go together the mistakes add up. Here the weights
of an output that are still exact take up, as far as their inputs go together, what rounding changed so far (GPTQ,
Frantar et al., arXiv 2210.17323; optimal brain quantisation, Frantar et al., arXiv 2208.11580). The inputs are those of
the float network, known by their second moments.
"""

import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from convert.fold import copied, wiring
from lmedge.keras_model import BATCH
from lmedge.latent import Latents

LEVELS = 127  # of an int8 weight, to either side of 0
DAMPING = 1e-3  # of the mean second moment, added to each, and of it as many as inputs for a sample: few say little
BLOCK = 128  # inputs whose mistakes are handed on together
MOST = 1 << 20  # numbers that a convolution reads of an image
_LAYERS = keras.layers
Weights = NDArray[np.float32]
Moments = NDArray[np.float64]


def rounded(network: Any, latents: Latents, tell: Callable[[str], None] = lambda text: None) -> Any:
    """A copy of a network whose dense layers and convolutions have weights that int8 holds exactly, with a scale for
    each output: what `network` computes on `latents` `[N, Z]`, as nearly as levels allow. `tell` is told how far it
    is."""
    copy = copied(network)
    tell(f"weights of {network.name}")
    for name, (moments, samples) in _moments(copy, latents).items():
        tell(f"weights of {network.name}, {name}")
        layer = copy.get_layer(name)
        kernel, *bias = layer.get_weights()
        flat = kernel.reshape(-1, kernel.shape[-1])
        layer.set_weights([rounded_kernel(flat, moments, samples).reshape(kernel.shape), *bias])
    return copy


def rounded_kernel(kernel: Weights, moments: Moments, samples: int) -> Weights:
    """Weights `[I, O]` in whole steps of 1/127 of the largest of each output, which stays as it is. `moments` `[I, I]`:
    the mean of x x^T over so many `samples` of the inputs. They go from the strongest to the weakest."""
    order = np.argsort(-np.diag(moments), kind="stable")
    left = kernel[order].astype(np.float64)
    largest = np.abs(left).argmax(axis=0)
    step = np.abs(left).max(axis=0) / LEVELS
    step[step == 0] = 1.0
    # A row of the inverse's factor: by how much each later input goes with this one, the ones before it known.
    takes = _factor(moments[np.ix_(order, order)], DAMPING + len(moments) / samples)
    found, off = np.empty_like(left), np.empty_like(left)
    for first in range(0, len(left), BLOCK):
        last = min(first + BLOCK, len(left))
        for row in range(first, last):
            codes = np.clip(np.round(left[row] / step), -LEVELS, LEVELS)
            pinned = largest == row  # so that the converter finds the same step
            codes[pinned] = np.sign(kernel[order[row], pinned]) * LEVELS
            found[row] = codes * step
            off[row] = (left[row] - found[row]) / takes[row, row]
            left[row + 1 : last] -= np.outer(takes[row, row + 1 : last], off[row])
        left[last:] -= takes[first:last, last:].T @ off[first:last]
    out = np.empty_like(kernel)
    out[order] = found
    return out


def _factor(moments: Moments, damping: float) -> Moments:
    """U, upper triangular, with U^T U the inverse of the damped `moments`."""
    damped = moments + np.diag(np.full(len(moments), damping * np.diag(moments).mean() or 1.0))
    return np.linalg.inv(np.linalg.cholesky(damped[::-1, ::-1])[::-1, ::-1])


def _moments(network: Any, latents: Latents) -> dict[str, tuple[Moments, int]]:
    """The mean of x x^T of what the weights of an output are multiplied by, and of how many samples, of each layer that
    can be rounded, by its name. No other network may have the layers: what they read is looked up in them."""
    layers = [network.get_layer(name) for name, calls in wiring(network).items() if len(calls) == 1]
    tensors = {layer.name: layer.input for layer in layers if _roundable(layer)}
    if not tensors:
        return {}
    look = keras.Model(network.input, tensors)
    totals: dict[str, Any] = dict.fromkeys(tensors, 0.0)
    counts = dict.fromkeys(tensors, 0)
    for first in range(0, len(latents), BATCH):
        for name, values in look(latents[first : first + BATCH], training=False).items():
            inputs = _inputs(network.get_layer(name), values)
            totals[name] = totals[name] + (inputs.T @ inputs).astype(np.float64)
            counts[name] += len(inputs)
    return {name: (totals[name] / count, count) for name, count in counts.items()}


def _roundable(layer: Any) -> bool:
    if type(layer) is _LAYERS.Conv2D:
        return layer.groups == 1 and layer.data_format == "channels_last"
    return type(layer) is _LAYERS.Dense


def _inputs(layer: Any, values: Any) -> Weights:
    """What the weights of an output are multiplied by `[N, I]`: for a convolution the pixels under its kernel."""
    if type(layer) is not _LAYERS.Conv2D:
        return np.asarray(values, np.float32).reshape(-1, values.shape[-1])
    _, height, width, channels = values.shape
    numbers = height * width * channels * math.prod(layer.kernel_size)
    apart = math.ceil(math.sqrt(numbers / MOST))  # of a large image not every pixel is looked at
    steps = [apart * stride for stride in layer.strides]
    ends = [[1, *each, 1] for each in (layer.kernel_size, steps, layer.dilation_rate)]
    pixels = tf.image.extract_patches(tf.cast(values, tf.float32), *ends, layer.padding.upper())
    return np.asarray(tf.reshape(pixels, (-1, pixels.shape[-1])))
