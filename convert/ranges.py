"""Ranges of the activations, set between calibration and quantisation."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from numpy.typing import NDArray
from tensorflow.lite.python import schema_py_generated as schema

from convert import flatbuffer as fb
from convert.fold import wiring
from lmedge.latent import Latents
from lmedge.quiet import native_stderr_off
from lmedge.runtime.bundle import SIGNATURE

# Ops that move values: in int8 their output has the range of what they read. What is joined has one range.
MOVING = ("PAD", "DEPTH_TO_SPACE", "STRIDED_SLICE", "RESHAPE", "TILE", "RESIZE_NEAREST_NEIGHBOR", "CONCATENATION")
# What layers and activations become, and how an op orders the axes of a Keras kernel.
OPS_OF = {
    "elu": ("ELU",), "ELU": ("ELU",), "relu": ("RELU",), "ReLU": ("RELU",), "relu6": ("RELU6",),
    "LeakyReLU": ("LEAKY_RELU",), "leaky_relu": ("LEAKY_RELU",), "Add": ("ADD",), "Multiply": ("MUL",),
}  # fmt: skip
AXES = {"FULLY_CONNECTED": (1, 0), "CONV_2D": (3, 0, 1, 2), "TRANSPOSE_CONV": (2, 0, 1, 3)}
SHRINK = 0.94  # factor of one step of the search
ROUNDS = 3
LEAST_GAIN = 1e-3  # share of the error that a step must save

ENDS = ("min", "max")
Ends = tuple[float, float]


def measured(model: bytes, latents: Latents) -> Any:
    """A float model whose activations have the extremes that they take on `latents` `[N, Z]` as their ranges.

    The converter's own calibration reads activations after the ops that write into the memory of what they read (ADD,
    MUL), and so gives what is added the range of the sum.
    """
    root = fb.read(model)
    sample = fb.signature(root, SIGNATURE)
    graph = root.subgraphs[sample.subgraphIndex]
    activations = [*graph.inputs, *(tensor for op in graph.operators for tensor in op.outputs)]
    ends = {"min": np.full(len(activations), np.inf), "max": np.full(len(activations), -np.inf)}
    with native_stderr_off():
        interpreter = Interpreter(
            model_content=model,
            num_threads=1,
            experimental_preserve_all_tensors=True,
            experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        )
        interpreter.allocate_tensors()
    for z in latents:
        interpreter.set_tensor(graph.inputs[0], z[None])
        interpreter.invoke()
        seen = [interpreter.get_tensor(tensor) for tensor in activations]
        ends["min"] = np.minimum(ends["min"], [values.min() for values in seen])
        ends["max"] = np.maximum(ends["max"], [values.max() for values in seen])
    for place, tensor in enumerate(activations):
        graph.tensors[tensor].quantization = schema.QuantizationParametersT()
        for end in ENDS:
            _set(graph, [tensor], end, float(ends[end][place]))
    return root


def set_image_range(model: Any) -> None:
    """Gives the image of a calibrated float model, and what becomes it by moving pixels, the range 0..255: its int8
    levels are then the image's own, and the last convolution itself cuts off what lies outside."""
    sample = fb.signature(model, SIGNATURE)
    graph, image = model.subgraphs[sample.subgraphIndex], fb.named(sample.outputs)["image"]
    (tensors,) = (tensors for tensors in _groups(model, graph, -1) if image in tensors)
    _set(graph, tensors, "min", 0.0)
    _set(graph, tensors, "max", 255.0)


def share_ranges(model: Any) -> None:
    """Gives the output of every ELU of a calibrated float model the range of its input: where x > 0 the ELU
    changes nothing, and with one scale for both its int8 kernel does not round a second time. What is joined gets the
    widest range of its parts: with ranges of their own they would be converted to float and back."""
    for graph in model.subgraphs:
        for tensors in _groups(model, graph, -1):
            for end in ENDS:
                _set(graph, tensors, end, _get(graph, tensors, end))


def fit_ranges(model: Any, error: Callable[[Any], float], tell: Callable[[str], None]) -> None:
    """Narrows the ranges of a calibrated float model as long as the quantised one gets better by it.

    Calibration takes the extremes of every activation, and a few pixels then cost all others resolution. Each
    end of each range is moved towards 0 by steps of `SHRINK` while `error` falls; layer by layer, `ROUNDS` times.
    `error` quantises the model and measures it.
    """
    sample = fb.signature(model, SIGNATURE)
    graph = model.subgraphs[sample.subgraphIndex]
    first = best = error(model)
    if first == 0:  # nothing can get better
        return
    for number in range(ROUNDS):
        tell(f"ranges, round {number + 1} of {ROUNDS}, error {best / first:.0%}")
        for tensors in _groups(model, graph, fb.named(sample.outputs)["image"]):
            for end in ENDS:
                while True:
                    before = _get(graph, tensors, end)
                    _set(graph, tensors, end, before * SHRINK)
                    now = error(model)
                    if not now < best * (1 - LEAST_GAIN):
                        _set(graph, tensors, end, before)
                        break
                    best = now


def copy_ranges(source: Any, target: Any) -> None:
    """Gives the activations of a calibrated model the ranges of those of another one of the same layers."""
    for before, after in zip(source.subgraphs, target.subgraphs, strict=True):
        for tensors, copies in zip(_groups(source, before, -1), _groups(target, after, -1), strict=True):
            for end in ENDS:
                _set(after, copies, end, _get(before, tensors, end))


def input_range(model: Any) -> Ends:
    """The range of the latents in a calibrated model."""
    graph = model.subgraphs[fb.signature(model, SIGNATURE).subgraphIndex]
    low, high = (_get(graph, [graph.inputs[0]], end) for end in ENDS)
    return min(0.0, low), max(0.0, high)


def ranges_of(model: Any, network: Any) -> dict[str, list[Ends]]:
    """Ranges of what the layers of a Keras network give in the calibrated model that it became a part of, by name: of
    the layer itself and, where it has one, of its activation; none for layers that only move values. They hold 0, as
    every int8 range does. Raises LookupError for a layer that cannot be found there."""
    graph = model.subgraphs[fb.signature(model, SIGNATURE).subgraphIndex]
    groups = {tensor: tensors for tensors in _groups(model, graph, -1) for tensor in tensors}
    made = {"": graph.inputs[0]}  # by each layer: a tensor of the same range
    found: dict[str, list[Ends]] = {}
    for name, calls in wiring(network).items():
        layer, read = network.get_layer(name), [made[source] for source in calls[0]]
        tensors = []
        if hasattr(layer, "kernel"):
            tensors.append(_with_weights(model, graph, name, layer.kernel.numpy()).outputs[0])
            read = tensors[:1]
        if kinds := OPS_OF.get(type(layer).__name__) or OPS_OF.get(activation_of(layer)):
            wanted = {groups.get(tensor, [tensor])[0] for tensor in read}
            ops = [op for op in graph.operators if fb.name_of(model, op) in kinds
                   and {groups.get(tensor, [tensor])[0] for tensor in op.inputs} == wanted]  # fmt: skip
            # An op that is not there was taken into the one before.
            tensors.append(ops[0].outputs[0] if ops else read[0])
        made[name] = (tensors or read)[-1]
        ends = [[_get(graph, groups[tensor], end) for end in ENDS] for tensor in tensors]
        found[name] = [(min(0.0, low), max(0.0, high)) for low, high in ends]
    return found


def activation_of(layer: Any) -> str:
    """Name of the function that a layer applies to what it computes."""
    return getattr(getattr(layer, "activation", None), "__name__", "linear")


def _with_weights(model: Any, graph: Any, name: str, kernel: NDArray[np.float32]) -> Any:
    """The op that has the weights of a layer: TFLite puts the axis of the output first."""
    for op in graph.operators:
        axes = AXES.get(fb.name_of(model, op))
        tensor = graph.tensors[op.inputs[1]] if axes and len(axes) == kernel.ndim else None
        if tensor is not None and np.array_equal(tensor.shape, kernel.transpose(axes).shape):
            data = np.asarray(model.buffers[tensor.buffer].data, np.uint8).view(np.float32)
            if np.array_equal(data, kernel.transpose(axes).ravel()):
                return op
    raise LookupError(f"the weights of {name}")


def _groups(model: Any, graph: Any, without: int) -> Iterator[list[int]]:
    """Tensors that have one range, in the order of the graph; not the group of tensor `without`."""
    groups: dict[int, list[int]] = {}
    for op in graph.operators:
        tensor = op.outputs[0]
        if not _ranged(graph.tensors[tensor]):
            continue
        read = [groups[one] for one in op.inputs if one in groups] if _shares(model, op) else []
        group = [*dict.fromkeys(one for tensors in read for one in tensors), tensor]
        groups.update(dict.fromkeys(group, group))
    for first, tensors in groups.items():
        if tensors[0] == first and without not in tensors:
            yield tensors


def _shares(model: Any, op: Any) -> bool:
    return fb.name_of(model, op) in (*MOVING, "ELU")


def _ranged(tensor: Any) -> bool:
    quantization = tensor.quantization
    return quantization is not None and quantization.min is not None and len(quantization.min) == 1


def _get(graph: Any, tensors: list[int], end: str) -> float:
    """An end of the range of a group: the widest of its tensors'."""
    widest = min if end == "min" else max
    return widest(float(getattr(graph.tensors[tensor].quantization, end)[0]) for tensor in tensors)


def _set(graph: Any, tensors: list[int], end: str, value: float) -> None:
    for tensor in tensors:
        setattr(graph.tensors[tensor].quantization, end, [value])
