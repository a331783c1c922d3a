"""Ranges of the activations, set between calibration and quantisation."""

from collections.abc import Callable, Iterator
from typing import Any

from convert import flatbuffer as fb
from lmedge.runtime.bundle import SIGNATURE

# Ops that move values: in int8 their output has the range of what they read. What is joined has one range.
MOVING = ("PAD", "DEPTH_TO_SPACE", "STRIDED_SLICE", "RESHAPE", "TILE", "RESIZE_NEAREST_NEIGHBOR", "CONCATENATION")
SHRINK = 0.94  # factor of one step of the search
ROUNDS = 3
LEAST_GAIN = 1e-3  # share of the error that a step must save

ENDS = ("min", "max")
Ends = tuple[float, float]


def set_image_range(model: Any) -> None:
    """Gives the image of a calibrated float model the range 0..255, so that its int8 levels are the image's own
    and the last convolution itself cuts off what lies outside."""
    sample = fb.signature(model, SIGNATURE)
    tensor = fb.named(sample.outputs)["image"]
    _set(model.subgraphs[sample.subgraphIndex], [tensor], "min", 0.0)
    _set(model.subgraphs[sample.subgraphIndex], [tensor], "max", 255.0)


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


def ranges_before(model: Any, output: str) -> list[Ends]:
    """Ranges of what the ops that compute give, other than an ELU, on the way to an output of `sample`, in their order.
    They hold 0, as every int8 range does."""
    sample = fb.signature(model, SIGNATURE)
    graph = model.subgraphs[sample.subgraphIndex]
    before = fb.operators_before(graph, [fb.named(sample.outputs)[output]])
    wanted = {tensor for op in before for tensor in op.outputs}
    groups = {tensor: tensors for tensors in _groups(model, graph, -1) for tensor in tensors}
    computed = [op.outputs[0] for op in graph.operators if not _shares(model, op) and op.outputs[0] in groups]
    ranges = [[_get(graph, groups[tensor], end) for end in ENDS] for tensor in computed if tensor in wanted]
    return [(min(0.0, low), max(0.0, high)) for low, high in ranges]


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
