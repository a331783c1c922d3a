"""A .tflite file as objects: reading, writing, and who makes and reads a tensor."""

from collections.abc import Callable, Iterator
from typing import Any

import flatbuffers
import numpy as np
from tensorflow.lite.python import schema_py_generated as schema

OP_NAMES: dict[int, str] = {v: k for k, v in vars(schema.BuiltinOperator).items() if not k.startswith("_")}
OPS: dict[str, int] = {name: code for code, name in OP_NAMES.items()}
_FIRST_WIDE_CODE = 127  # codes from here on do not fit into the old one-byte field


def read(model: bytes) -> Any:
    """The file as a `ModelT` of TensorFlow's own schema. For files that we have just converted."""
    return schema.ModelT.InitFromObj(schema.Model.GetRootAs(model))


def write(model: Any) -> bytes:
    """The inverse of `read`. A tensor object that stands in several graphs is written once."""
    builder = flatbuffers.Builder(1 << 20)
    tensors = {id(tensor): tensor for graph in model.subgraphs for tensor in graph.tensors}
    for tensor in tensors.values():
        tensor.Pack = _once(tensor.Pack)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    for tensor in tensors.values():
        del tensor.Pack
    return bytes(builder.Output())


def share_tensors(model: Any) -> None:
    """Has graphs share the tensors that are alike, as they did before the file was read."""
    known: dict[bytes, Any] = {}
    for graph in model.subgraphs:
        graph.tensors = [known.setdefault(_packed(tensor), tensor) for tensor in graph.tensors]


def _packed(table: Any) -> bytes:
    builder = flatbuffers.Builder(256)
    builder.Finish(table.Pack(builder))
    return bytes(builder.Output())


def _once(pack: Callable[[Any], int]) -> Callable[[Any], int]:
    """The offset of the first call again: tables of a flatbuffer may be referred to more than once."""
    offsets: list[int] = []

    def packed(builder: Any) -> int:
        if not offsets:
            offsets.append(pack(builder))
        return offsets[0]

    return packed


def op_of(model: Any, operator: Any) -> tuple[str, int]:
    """Name and version of an operator; of a custom one the name that it was given."""
    code = model.operatorCodes[operator.opcodeIndex]
    if code.customCode:
        return code.customCode.decode(), code.version
    builtin = max(code.builtinCode, code.deprecatedBuiltinCode)
    return OP_NAMES.get(builtin, str(builtin)), code.version


def name_of(model: Any, operator: Any) -> str:
    """Name of an operator."""
    return op_of(model, operator)[0]


def code_index(model: Any, name: str, version: int) -> int:
    """Index of the operator code, which is added where the model does not have it."""
    for i, code in enumerate(model.operatorCodes):
        if max(code.builtinCode, code.deprecatedBuiltinCode) == OPS[name] and code.version == version:
            return i
    code = schema.OperatorCodeT()
    code.builtinCode = OPS[name]
    code.deprecatedBuiltinCode = min(OPS[name], _FIRST_WIDE_CODE)
    code.version = version
    model.operatorCodes.append(code)
    return len(model.operatorCodes) - 1


def producer(graph: Any, tensor: int) -> Any | None:
    """The operator that writes the tensor; None for an input or a constant."""
    return next((op for op in graph.operators if tensor in op.outputs), None)


def readers(graph: Any, tensor: int) -> list[Any]:
    """The operators that read the tensor."""
    return [op for op in graph.operators if op.inputs is not None and tensor in op.inputs]


def signature(model: Any, key: str) -> Any:
    """The signature of that name. Raises KeyError."""
    for entry in model.signatureDefs or ():
        if entry.signatureKey.decode() == key:
            return entry
    raise KeyError(key)


def named(tensor_maps: Any) -> dict[str, int]:
    """Name -> tensor index of a signature's inputs or outputs."""
    return {entry.name.decode(): entry.tensorIndex for entry in tensor_maps}


def add_buffer(model: Any, data: bytes) -> int:
    """Index of a new buffer with `data`."""
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(data, np.uint8)
    model.buffers.append(buffer)
    return len(model.buffers) - 1


def operators_before(graph: Any, tensors: list[int]) -> list[Any]:
    """The operators from which the tensors are computed, in the order of the graph."""
    wanted, found = set(tensors), []
    for op in reversed(graph.operators):
        if wanted.intersection(op.outputs):
            found.append(op)
            wanted.update(op.inputs)
    return found[::-1]


def operators(model: Any) -> Iterator[tuple[Any, Any]]:
    """Every (graph, operator)."""
    for graph in model.subgraphs:
        for operator in graph.operators or ():
            yield graph, operator
