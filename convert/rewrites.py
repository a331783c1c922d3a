"""Rewrites of a converted model, each a function from the objects of convert.flatbuffer to themselves."""

import copy
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tensorflow.lite.python import schema_py_generated as schema

from convert import flatbuffer as fb
from convert.repeated import Repeat
from lmedge.runtime.bundle import SIGNATURE

# Signatures beside `sample`, and the output of `sample` that each keeps.
PARTS = {"generate": "image", "landmarks": "landmarks"}


def int8_elu(model: Any) -> int:
    """Replaces DEQUANTIZE, float ELU, QUANTIZE by the int8 ELU that runtimes have and converters do not use;
    returns how often. The output is the same to the bit: the int8 kernel looks up what the three ops compute."""
    replaced = 0
    for graph in model.subgraphs:
        dropped = set()
        for op in graph.operators:
            if fb.name_of(model, op) != "ELU":
                continue
            before, after = fb.producer(graph, op.inputs[0]), fb.readers(graph, op.outputs[0])
            if before is None or fb.name_of(model, before) != "DEQUANTIZE":
                continue
            if len(after) != 1 or fb.name_of(model, after[0]) != "QUANTIZE":
                continue
            if graph.tensors[before.inputs[0]].type != schema.TensorType.INT8:
                continue
            if len(fb.readers(graph, op.inputs[0])) == 1:
                dropped.add(id(before))
            dropped.add(id(after[0]))
            op.inputs, op.outputs = [before.inputs[0]], [after[0].outputs[0]]
            replaced += 1
        graph.operators = [op for op in graph.operators if id(op) not in dropped]
    return replaced


def join_in_int8(model: Any) -> int:
    """Moves the QUANTIZE behind a float CONCATENATION to what it joins; returns how often. The same bits: int8 values
    of the same scale that were made float for it are taken as they are, and an ELU before it can then be int8 too."""
    moved = 0
    for graph in model.subgraphs:
        operators: list[Any] = []
        dropped = set()
        for op in graph.operators:
            after = fb.readers(graph, op.outputs[0])
            if (
                fb.name_of(model, op) == "CONCATENATION"
                and [fb.name_of(model, reader) for reader in after] == ["QUANTIZE"]
                and graph.tensors[after[0].outputs[0]].type == schema.TensorType.INT8
            ):
                (quantize,) = after
                dropped.add(id(quantize))
                read = [_in_int8(model, graph, tensor, quantize) for tensor in op.inputs]
                operators += [made for _, made in read if made is not None]
                op.inputs, op.outputs = [tensor for tensor, _ in read], quantize.outputs
                moved += 1
            operators.append(op)
        graph.operators = [op for op in operators if id(op) not in dropped]
        graph.operators = [op for op in graph.operators if fb.name_of(model, op) != "DEQUANTIZE"
                           or op.outputs[0] in graph.outputs or fb.readers(graph, op.outputs[0])]  # fmt: skip
    return moved


def _in_int8(model: Any, graph: Any, tensor: int, like: Any) -> tuple[int, Any]:
    """A tensor that holds float `tensor` as the QUANTIZE `like` would make it int8, and the op that does, None where
    there is one already."""
    wanted, source = graph.tensors[like.outputs[0]], fb.producer(graph, tensor)
    if source is not None and fb.name_of(model, source) == "DEQUANTIZE":
        found = graph.tensors[source.inputs[0]]
        if found.type == wanted.type and _scaling(found) == _scaling(wanted):
            return source.inputs[0], None
    made = copy.deepcopy(graph.tensors[tensor])
    made.name, made.type, made.quantization = made.name + b"_int8", wanted.type, copy.deepcopy(wanted.quantization)
    graph.tensors.append(made)
    op = copy.copy(like)
    op.inputs, op.outputs = [tensor], [len(graph.tensors) - 1]
    return op.outputs[0], op


def _scaling(tensor: Any) -> tuple[list[float], list[int]]:
    return list(tensor.quantization.scale), list(tensor.quantization.zeroPoint)


def quantize_image(model: Any) -> None:
    """Makes the float image 0..255 of `sample` uint8: one QUANTIZE with scale 1 clips, rounds and casts.

    Unlike CLIP, ROUND and CAST it runs in XNNPACK, and in an int8 model it costs a copy.
    """
    image, _ = _append(model, "image", "QUANTIZE", schema.QuantizeOptionsT())
    image.type = schema.TensorType.UINT8
    image.quantization = schema.QuantizationParametersT()
    image.quantization.scale, image.quantization.zeroPoint = [1.0], [0]


def repeat_input(model: Any, repeat: Repeat) -> None:
    """Puts before a model of latents as `repeat` gives them what makes them of latents `[1, Z]`, in float: a slice,
    what joins it to the latent several times, and a sum with the offsets."""
    sample = fb.signature(model, SIGNATURE)
    graph = model.subgraphs[sample.subgraphIndex]
    (entry,) = sample.inputs
    read = entry.tensorIndex

    def tensor(name: str, width: int) -> int:
        made = copy.deepcopy(graph.tensors[read])
        made.name, made.shape, made.quantization = name.encode(), [1, width], None
        if made.shapeSignature is not None:
            made.shapeSignature = [1, width]
        graph.tensors.append(made)
        return len(graph.tensors) - 1

    z = tensor("z", repeat.size)
    part = tensor("z_part", repeat.last - repeat.first)
    joined = tensor("z_joined", len(repeat.offsets))
    ends = np.array([(0, repeat.first), (1, repeat.last), (1, 1)], np.int32)
    bounds = [_constant(model, graph, f"z_part_{place}", end) for place, end in enumerate(ends)]
    offsets = _constant(model, graph, "z_offsets", repeat.offsets[None])
    join = schema.ConcatenationOptionsT()
    join.axis = 1
    graph.operators = [
        _operator(model, "STRIDED_SLICE", schema.StridedSliceOptionsT(), [z, *bounds], part),
        _operator(model, "CONCATENATION", join, [z, *[part] * (repeat.times - 1)], joined),
        _operator(model, "ADD", schema.AddOptionsT(), [joined, offsets], read),
        *graph.operators,
    ]
    graph.inputs, entry.tensorIndex = [z], z


def add_mean_face(model: Any, mean: NDArray[np.float32], key: str = SIGNATURE) -> None:
    """Adds `mean` `[K, 2]` to the float landmarks of a signature."""
    _, op = _append(model, "landmarks", "ADD", schema.AddOptionsT(), key)
    graph = model.subgraphs[fb.signature(model, key).subgraphIndex]
    op.inputs = [*op.inputs, _constant(model, graph, "mean_face", mean[None].astype(np.float32))]


def _constant(model: Any, graph: Any, name: str, values: NDArray[np.float32] | NDArray[np.int32]) -> int:
    """Adds a tensor of these values to a graph; its index."""
    made = schema.TensorT()
    kind = schema.TensorType.FLOAT32 if values.dtype == np.float32 else schema.TensorType.INT32
    made.name, made.type, made.shape = name.encode(), kind, list(values.shape)
    made.buffer = fb.add_buffer(model, values.astype(values.dtype.newbyteorder("<")).tobytes())
    graph.tensors.append(made)
    return len(graph.tensors) - 1


def _operator(model: Any, name: str, options: Any, inputs: list[int], output: int) -> Any:
    """An op of the first version with one output, which stands in no graph yet."""
    op = schema.OperatorT()
    op.opcodeIndex = fb.code_index(model, name, 1)
    op.inputs, op.outputs = inputs, [output]
    op.builtinOptionsType = getattr(schema.BuiltinOptions, type(options).__name__.removesuffix("T"))
    op.builtinOptions = options
    return op


def _append(model: Any, output: str, name: str, options: Any, key: str = SIGNATURE) -> tuple[Any, Any]:
    """Puts an op behind an output of a signature; the tensor that it writes, a copy of the one that was the output,
    takes its place. Returns that tensor and the op."""
    sample = fb.signature(model, key)
    graph = model.subgraphs[sample.subgraphIndex]
    (entry,) = (entry for entry in sample.outputs if entry.name.decode() == output)
    source = entry.tensorIndex
    result = copy.deepcopy(graph.tensors[source])
    result.name, result.buffer = f"{output}_out".encode(), 0
    graph.tensors.append(result)
    made = len(graph.tensors) - 1
    op = _operator(model, name, options, [source], made)
    graph.operators.append(op)
    graph.outputs = [made if tensor == source else tensor for tensor in graph.outputs]
    entry.tensorIndex = made
    return result, op


def add_signatures(model: Any) -> None:
    """Adds the signatures of `PARTS`: copies of the graph without what the other output needs. They share
    weights and tensors with `sample`, so the file grows by their lists of operators only."""
    sample = fb.signature(model, SIGNATURE)
    for key, output in PARTS.items():
        graph = copy.copy(model.subgraphs[sample.subgraphIndex])
        kept = [entry for entry in sample.outputs if entry.name.decode() == output]
        graph.name, graph.outputs = key.encode(), [entry.tensorIndex for entry in kept]
        graph.operators = [copy.copy(op) for op in fb.operators_before(graph, graph.outputs)]
        model.subgraphs.append(graph)
        entry = schema.SignatureDefT()
        entry.signatureKey, entry.subgraphIndex = key.encode(), len(model.subgraphs) - 1
        entry.inputs, entry.outputs = copy.deepcopy(sample.inputs), copy.deepcopy(kept)
        model.signatureDefs.append(entry)


def drop_unused(model: Any) -> None:
    """Removes tensors, buffers and operator codes that nobody refers to any more; runtimes allocate them."""
    for number, graph in enumerate(model.subgraphs):
        used = set(graph.inputs) | set(graph.outputs)
        for op in graph.operators:
            used.update(op.inputs)
            used.update(op.outputs)
        order = sorted(index for index in used if index >= 0)
        place = {index: at for at, index in enumerate(order)} | {-1: -1}  # -1: an optional input left out
        graph.tensors = [graph.tensors[index] for index in order]
        graph.inputs = [place[index] for index in graph.inputs]
        graph.outputs = [place[index] for index in graph.outputs]
        for op in graph.operators:
            op.inputs = [place[index] for index in op.inputs]
            op.outputs = [place[index] for index in op.outputs]
        for entry in model.signatureDefs or ():
            if entry.subgraphIndex == number:
                for tensor_map in (*entry.inputs, *entry.outputs):
                    tensor_map.tensorIndex = place[tensor_map.tensorIndex]
    tensors = {id(tensor): tensor for graph in model.subgraphs for tensor in graph.tensors}.values()
    operators = [op for _, op in fb.operators(model)]
    metadata = model.metadata or []
    _compact(model, "buffers", [(t, "buffer") for t in (*tensors, *metadata)], {0})
    _compact(model, "operatorCodes", [(op, "opcodeIndex") for op in operators], set())


def _compact(model: Any, field: str, references: list[tuple[Any, str]], kept: set[int]) -> None:
    """Keeps the items of a list that something refers to, and moves the references."""
    used = sorted(kept | {getattr(owner, name) for owner, name in references})
    place = {index: at for at, index in enumerate(used)}
    items = getattr(model, field)
    setattr(model, field, [items[index] for index in used])
    for owner, name in references:
        setattr(owner, name, place[getattr(owner, name)])
