"""Constant factors taken into the weights before them, on the Keras model: an op less, and in int8 a rounding less."""

from typing import Any

import keras

from convert.fold import reads_in, wiring

_LAYERS = keras.layers


def without_scales(network: Any) -> Any:
    """A copy of a network that computes the same without the layers that multiply by a constant what a linear layer
    with weights gives to them alone; the network itself where there is none."""
    calls = wiring(network)
    reads = reads_in(calls)
    taken: dict[str, float] = {}  # layer with weights -> factor
    gone: set[str] = set()
    for name, each in calls.items():
        source, layer = each[0][0] if each[0] else "", network.get_layer(name)
        if _multiplies(layer) and len(each) == 1 and source and reads[source] == 1:
            before = network.get_layer(source)
            if type(before) in (_LAYERS.Dense, _LAYERS.Conv2D) and before.activation is keras.activations.linear:
                taken[source] = float(layer.scale)
                gone.add(name)
    if not gone:
        return network

    def call(layer: Any, *args: Any, **kwargs: Any) -> Any:
        return args[0] if layer.name in gone else layer(*args, **kwargs)

    copy = keras.models.clone_model(network, call_function=call)
    copy.set_weights(network.get_weights())
    for name, factor in taken.items():
        layer = copy.get_layer(name)
        layer.set_weights([factor * weight for weight in layer.get_weights()])
    return copy


def _multiplies(layer: Any) -> bool:
    return type(layer) is _LAYERS.Rescaling and isinstance(layer.scale, int | float) and layer.offset == 0
