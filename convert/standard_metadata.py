"""TFLite's standard metadata: the few tables of its public schema (metadata_schema.fbs) that describe a face model,
written as FlatBuffers."""

from collections.abc import Sequence
from dataclasses import dataclass

import flatbuffers
from flatbuffers.number_types import UOffsetTFlags

NAME = "TFLITE_METADATA"  # by which readers find it in a model
IDENTIFIER = b"M001"
MIN_PARSER = "1.0.0"
FEATURE, IMAGE = 1, 2  # of the union ContentProperties
RGB = 1  # of ColorSpaceType


@dataclass(frozen=True)
class Tensor:
    """An input or output. `image`: is it RGB pixels? `low` and `high`: bounds of its values, one for each of the last
    axis or one for all; empty where there are none."""

    name: str
    description: str
    image: bool = False
    low: Sequence[float] = ()
    high: Sequence[float] = ()


@dataclass(frozen=True)
class Graph:
    """A subgraph, with its tensors in the order of the graph, which readers go by."""

    name: str
    inputs: Sequence[Tensor]
    outputs: Sequence[Tensor]


@dataclass(frozen=True)
class ModelMetadata:
    """A model; `graphs` in the order of its subgraphs."""

    name: str
    description: str
    version: str
    author: str
    licence: str
    graphs: Sequence[Graph]

    def packed(self) -> bytes:
        """The FlatBuffer."""
        builder = flatbuffers.Builder(1024)
        texts = [builder.CreateString(text) for text in (self.name, self.description, self.version)]
        graphs = _vector(builder, [_graph(builder, graph) for graph in self.graphs])
        author, licence = builder.CreateString(self.author), builder.CreateString(self.licence)
        parser = builder.CreateString(MIN_PARSER)
        model = _table(builder, 8, {0: texts[0], 1: texts[1], 2: texts[2], 3: graphs, 4: author, 5: licence, 7: parser})
        builder.Finish(model, file_identifier=IDENTIFIER)
        return bytes(builder.Output())


def _graph(builder: flatbuffers.Builder, graph: Graph) -> int:
    name = builder.CreateString(graph.name)
    inputs = _vector(builder, [_tensor(builder, tensor) for tensor in graph.inputs])
    outputs = _vector(builder, [_tensor(builder, tensor) for tensor in graph.outputs])
    return _table(builder, 10, {0: name, 2: inputs, 3: outputs})


def _tensor(builder: flatbuffers.Builder, tensor: Tensor) -> int:
    name, description = builder.CreateString(tensor.name), builder.CreateString(tensor.description)
    properties = _table(builder, 2, {}, {0: RGB}) if tensor.image else _table(builder, 0, {})
    content = _table(builder, 3, {1: properties}, {0: IMAGE if tensor.image else FEATURE})
    bounds = {slot: _floats(builder, values) for slot, values in ((0, tensor.high), (1, tensor.low)) if len(values)}
    return _table(builder, 7, {0: name, 1: description, 3: content, 5: _table(builder, 4, bounds)})


def _table(
    builder: flatbuffers.Builder, slots: int, offsets: dict[int, int], small: dict[int, int] | None = None
) -> int:
    """A table of so many slots: those of numbers below 256, and those that lead to what was written before."""
    builder.StartObject(slots)
    for slot, value in (small or {}).items():
        builder.PrependUint8Slot(slot, value, 0)
    for slot, offset in offsets.items():
        builder.PrependUOffsetTRelativeSlot(slot, UOffsetTFlags.py_type(offset), 0)
    return builder.EndObject()


def _vector(builder: flatbuffers.Builder, offsets: Sequence[int]) -> int:
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return builder.EndVector()


def _floats(builder: flatbuffers.Builder, values: Sequence[float]) -> int:
    builder.StartVector(4, len(values), 4)
    for value in reversed(values):
        builder.PrependFloat32(value)
    return builder.EndVector()
