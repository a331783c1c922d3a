"""The image in levels, on the Keras model."""

from typing import Any

import keras

from convert.fold import PhasesToPixels, copied, reads_in, wiring
from lmedge.keras_layers import DepthToSpace

HALF = 127.5  # -1..1 times this, and this more, is 0..255
_MOVING = (DepthToSpace, PhasesToPixels, keras.layers.Reshape, keras.layers.Identity, keras.layers.Dropout)
_COMPUTING = (keras.layers.Conv2D, keras.layers.Conv2DTranspose, keras.layers.Dense)


def in_levels(generator: Any) -> Any:
    """A copy of a generator of -1..1 that gives 0..255. The layer that computes the image does it where all behind it
    only moves pixels: the converter looks no further than the layer before, and int8 would round once more for each op
    of the scaling. Elsewhere a layer more does."""
    copy = copied(generator)
    calls = wiring(copy)
    reads = reads_in(calls)
    layer = copy.layers[-1]
    while _moves(layer) and len(calls[layer.name]) == 1 and reads[source := calls[layer.name][0][0]] == 1:
        layer = copy.get_layer(source)
    if isinstance(layer, _COMPUTING) and layer.use_bias and _linear(layer) and len(calls[layer.name]) == 1:
        kernel, bias = layer.get_weights()
        layer.set_weights([kernel * HALF, bias * HALF + HALF])
        return copy
    return rescaled(copy)


def rescaled(generator: Any) -> Any:
    """The same, by a layer more."""
    levels = keras.layers.Rescaling(HALF, HALF, dtype="float32")(generator.output)
    return keras.Model(generator.input, levels, name=generator.name)


def _moves(layer: Any) -> bool:
    return isinstance(layer, _MOVING) or (isinstance(layer, keras.layers.Activation) and _linear(layer))


def _linear(layer: Any) -> bool:
    return layer.activation is keras.activations.linear
