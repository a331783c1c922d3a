"""A .tflite file, checked before an interpreter sees it: interpreters trust offsets, sizes and indices.

Only what a face model needs passes: builtin ops with tables of plain options, no control flow, no variables, no
custom op, no data outside the file. Needs NumPy only, as it runs on the device. The layout is that of TensorFlow
Lite's schema, version 3, in the flatbuffer format.
"""

import json
import math
import struct
from dataclasses import dataclass
from typing import Any

from lmedge.errors import LmedgeError

LARGEST_TENSOR = 1 << 28  # bytes
LARGEST_SUM = 1 << 30  # bytes of all tensors of a graph
SMALLEST_SCALE = 1e-15
LARGEST_FACTOR = 256.0  # of a scale, and of a product of scales over that of the output: what kernels take
MOST_ITEMS = 100_000  # tables in a list
ABOUT = "LMEDGE_METADATA"  # name of the entry with our own facts, as JSON

# Tensor types -> bytes of an element: float32, float16, int32, uint8, int64, bool, int16, int8.
_TYPE_BYTES = {0: 4, 1: 2, 2: 4, 3: 1, 4: 8, 6: 1, 7: 2, 9: 1}
_REFUSED_OPS = {31: "CALL", 32: "CUSTOM", 51: "DELEGATE", 118: "IF", 119: "WHILE", 129: "CALL_ONCE",
                136: "HASHTABLE", 137: "HASHTABLE_FIND", 138: "HASHTABLE_IMPORT", 139: "HASHTABLE_SIZE",
                142: "VAR_HANDLE", 143: "READ_VARIABLE", 144: "ASSIGN_VARIABLE"}  # fmt: skip
_CONVERSIONS = (6, 53, 114)  # DEQUANTIZE, CAST, QUANTIZE: the ops whose output may be of another type
_REAL_TYPES = 1 << 0 | 1 << 1 | 1 << 3 | 1 << 7 | 1 << 9  # float32, float16, uint8, int16, int8
_FIRST_STABLEHLO = 162  # ops from here on come from another dialect and run on new runtimes only
# Options -> fields that are lists of int32, by number. All other fields of options are plain numbers.
_LISTS_IN_OPTIONS = {17: (0,), 30: (0,)}  # ReshapeOptions.new_shape, SqueezeOptions.squeeze_dims
_REFUSED_OPTIONS = {3, 111, 115}  # ConcatEmbeddings, VarHandle, Bucketize: they hold lists or names of their own
# Options -> fields that divide, and what they are where they are left out: strides, filter sizes, dilations.
_STRIDES = {1: 0, 2: 0}
_POSITIVE = {1: _STRIDES | {4: 1, 5: 1}, 2: _STRIDES | {5: 1, 6: 1}, 5: _STRIDES | {3: 0, 4: 0},
             49: _STRIDES}  # Conv2D, DepthwiseConv2D, Pool2D, TransposeConv  # fmt: skip


@dataclass(frozen=True)
class ModelFile:
    """What is in a checked file: `ops` builtin code -> how often; `signatures` key -> (inputs, outputs) by name;
    `about`: our own metadata, {} in a model of somebody else; `metadata`: names of all entries."""

    ops: dict[int, int]
    signatures: dict[str, tuple[tuple[str, ...], tuple[str, ...]]]
    about: dict[str, Any]
    metadata: tuple[str, ...]


class _Damaged(Exception):
    """What is wrong with the file, as the end of a sentence."""


@dataclass(frozen=True)
class _Reader:
    """A flatbuffer whose every access is checked against its end."""

    data: bytes

    def number(self, kind: str, at: int) -> Any:
        if not 0 <= at <= len(self.data) - struct.calcsize(kind):
            raise _Damaged("an offset points out of the file")
        return struct.unpack_from("<" + kind, self.data, at)[0]

    def follow(self, at: int) -> int:
        return at + self.number("I", at)

    def table(self, at: int) -> "_Table":
        vtable = at - self.number("i", at)
        size, inline = self.number("H", vtable), self.number("H", vtable + 2)
        if size < 4 or size % 2 or inline < 4:
            raise _Damaged("a table has no fields' list")
        if vtable + size > len(self.data) or at + inline > len(self.data):
            raise _Damaged("a table reaches out of the file")
        fields = struct.unpack_from(f"<{(size - 4) // 2}H", self.data, vtable + 4)
        if any(field >= inline for field in fields):
            raise _Damaged("a field lies outside its table")
        return _Table(self, at, fields)

    def list(self, at: int, item: int) -> tuple[int, int]:
        """Where the items of a list start, and how many there are."""
        count = self.number("I", at)
        if count * item > len(self.data) - at - 4:
            raise _Damaged(f"a list of {count} items reaches out of the file")
        return at + 4, count


@dataclass(frozen=True)
class _Table:
    reader: _Reader
    at: int
    fields: tuple[int, ...]

    def place(self, field: int) -> int | None:
        """Where the field is; None where it is left out."""
        offset = self.fields[field] if field < len(self.fields) else 0
        return self.at + offset if offset else None

    def number(self, field: int, kind: str, default: int = 0) -> int:
        place = self.place(field)
        return default if place is None else self.reader.number(kind, place)

    def absent(self, *fields: int) -> bool:
        return all(self.place(field) is None for field in fields)

    def numbers(self, field: int, kind: str) -> tuple[Any, ...]:
        place = self.place(field)
        if place is None:
            return ()
        start, count = self.reader.list(self.reader.follow(place), struct.calcsize(kind))
        return struct.unpack_from(f"<{count}{kind}", self.reader.data, start)

    def bytes(self, field: int) -> bytes:
        place = self.place(field)
        if place is None:
            return b""
        start, count = self.reader.list(self.reader.follow(place), 1)
        return self.reader.data[start : start + count]

    def text(self, field: int) -> str:
        place = self.place(field)
        if place is not None:
            start, count = self.reader.list(self.reader.follow(place), 1)
            if self.reader.number("B", start + count):
                raise _Damaged("a name has no end")
        return self.bytes(field).decode("utf-8", "replace")

    def table(self, field: int) -> "_Table | None":
        place = self.place(field)
        return None if place is None else self.reader.table(self.reader.follow(place))

    def tables(self, field: int) -> list["_Table"]:
        place = self.place(field)
        if place is None:
            return []
        start, count = self.reader.list(self.reader.follow(place), 4)
        if count > MOST_ITEMS:
            raise _Damaged(f"a list has {count} tables")
        return [self.reader.table(self.reader.follow(start + 4 * i)) for i in range(count)]


def check_model(data: bytes, name: str) -> ModelFile:
    """Reads a model file. Raises LmedgeError, naming the file `name`, for one that is malformed or that asks for
    more than a face model does."""
    if data[4:8] != b"TFL3":
        raise LmedgeError(f"{name} is not a TFLite model.")
    try:
        return _model(_Reader(data))
    except _Damaged as damage:
        raise LmedgeError(f"{name} is damaged or not a face model ({damage}); export or copy it again.") from None


def _model(reader: _Reader) -> ModelFile:
    model = reader.table(reader.follow(0))
    if (version := model.number(0, "I")) != 3:
        raise _Damaged(f"its schema is {version}, not 3")
    buffers = [_buffer(table) for table in model.tables(4)]
    codes = [_code(table) for table in model.tables(1)]
    ops: dict[int, int] = {}
    tensors = [_graph(table, codes, buffers, ops) for table in model.tables(2)]
    if not tensors:
        raise _Damaged("it has no graph")
    _indices(model.numbers(5, "i"), len(buffers), "buffer")
    metadata = {}
    for entry in model.tables(6):
        at = _index(entry.number(1, "I"), len(buffers), "buffer")
        metadata[entry.text(0)] = buffers[at]
    signatures = {}
    for entry in model.tables(7):
        graph = _index(entry.number(4, "I"), len(tensors), "graph")
        inputs, outputs = (_names(entry.tables(field), tensors[graph]) for field in (0, 1))
        entry.text(3)
        signatures[entry.text(2)] = inputs, outputs
    model.text(3)
    return ModelFile(ops, signatures, _about(metadata.get(ABOUT)), tuple(metadata))


def _about(data: bytes | None) -> dict[str, Any]:
    if data is None:
        return {}
    try:
        about = json.loads(data)
    except (ValueError, RecursionError):
        raise _Damaged("its metadata is not JSON") from None
    if not isinstance(about, dict):
        raise _Damaged("its metadata is no JSON object")
    return about


def _buffer(table: _Table) -> bytes:
    # Fields 1 and 2 point behind the flatbuffer, for models over 2 GB.
    if not table.absent(1, 2):
        raise _Damaged("its weights lie outside the flatbuffer")
    return table.bytes(0)


def _code(table: _Table) -> int:
    code = max(table.number(0, "b"), table.number(3, "i"))
    if code in _REFUSED_OPS or table.place(1) is not None:
        raise _Damaged(f"it uses the op {_REFUSED_OPS.get(code, 'CUSTOM')}")
    if not 0 <= code < _FIRST_STABLEHLO:
        raise _Damaged(f"it uses the unknown op {code}")
    return code


def _graph(table: _Table, codes: list[int], buffers: list[bytes], ops: dict[int, int]) -> int:
    """Checks a graph, counts its ops; returns how many tensors it has."""
    tensors = table.tables(0)
    total, known = 0, set()
    scales, kinds = [], []
    for number, tensor in enumerate(tensors):
        size, constant, scale = _tensor(tensor, buffers)
        total += size
        scales.append(scale)
        kinds.append(0 if constant else 1 << tensor.number(1, "b") & _REAL_TYPES)
        if constant:
            known.add(number)
    if total > LARGEST_SUM:
        raise _Damaged(f"its tensors need {total >> 20} MiB")
    inputs = _indices(table.numbers(1, "i"), len(tensors), "tensor")
    outputs = _indices(table.numbers(2, "i"), len(tensors), "tensor")
    table.text(4)
    if not inputs or not outputs:
        raise _Damaged("a graph has no input or no output")
    known.update(inputs)
    for op in table.tables(3):
        code = codes[_index(op.number(0, "I"), len(codes), "op")]
        ops[code] = ops.get(code, 0) + 1
        # -1 stands for an optional input that is left out.
        read = [_index(i, len(tensors), "tensor") for i in op.numbers(1, "i") if i != -1]
        written = _indices(op.numbers(2, "i"), len(tensors), "tensor")
        if not written or not read or not known.issuperset(read):
            raise _Damaged("an op reads what nothing has written")
        if known.intersection(written):
            raise _Damaged("an op writes what is there already")
        known.update(written)
        if not op.absent(5, 7, 8, 9, 10, 11, 12):
            raise _Damaged("an op carries data that a face model does not need")
        _options(op)
        if code not in _CONVERSIONS and len({kinds[i] for i in (*read, *written)} - {0}) > 1:
            raise _Damaged("an op mixes the types of its tensors")
        # Kernels turn in * weights / out into a shift, and abort the process where it is too far.
        out = min(scales[i] for i in written)
        given = sorted(scales[i] for i in read if scales[i])[-2:]
        if out and given and max(math.prod(given), *given) / out > LARGEST_FACTOR:
            raise _Damaged("an op scales its input beyond measure")
    if not known.issuperset(outputs):
        raise _Damaged("nothing writes an output")
    return len(tensors)


def _tensor(tensor: _Table, buffers: list[bytes]) -> tuple[int, bool, float]:
    """Bytes of a tensor, whether it is constant, and its largest scale (0: none)."""
    shape, kind = tensor.numbers(0, "i"), tensor.number(1, "b")
    if kind not in _TYPE_BYTES:
        raise _Damaged(f"a tensor has type {kind}")
    if any(side < 1 for side in (*shape, *(s for s in tensor.numbers(7, "i") if s != -1))):
        raise _Damaged(f"a tensor has shape {list(shape)}")
    size = math.prod(shape) * _TYPE_BYTES[kind]
    if size > LARGEST_TENSOR:
        raise _Damaged(f"a tensor of shape {list(shape)} needs {size >> 20} MiB")
    content = buffers[_index(tensor.number(2, "I"), len(buffers), "buffer")]
    if content and len(content) != size:
        raise _Damaged(f"a tensor of {size} bytes holds {len(content)}")
    tensor.text(3)
    if tensor.number(5, "B") or not tensor.absent(6, 9):
        raise _Damaged("a tensor is variable, sparse or of several types")
    quantisation = tensor.table(4)
    return size, bool(content), 0.0 if quantisation is None else _largest_scale(quantisation, shape)


def _largest_scale(table: _Table, shape: tuple[int, ...]) -> float:
    scales, zeros = table.numbers(2, "f"), table.numbers(3, "q")
    table.numbers(0, "f"), table.numbers(1, "f")
    if not table.absent(5):
        raise _Damaged("a tensor has a quantisation of its own kind")
    axis = table.number(6, "i")
    wide = len(scales) > 1
    if (len(scales) != len(zeros) and zeros) or (wide and not 0 <= axis < len(shape)):
        raise _Damaged("a tensor has a wrong quantisation")
    if wide and len(scales) != shape[axis]:
        raise _Damaged(f"a tensor has {len(scales)} scales for {shape[axis]} channels")
    if not all(math.isfinite(scale) and SMALLEST_SCALE < scale < LARGEST_FACTOR for scale in scales):
        raise _Damaged("a tensor has a scale that is no sensible number")
    if not all(-128 <= zero <= 255 for zero in zeros):
        raise _Damaged("a tensor has a zero point that is no byte")
    return max(scales, default=0.0)


def _options(op: _Table) -> None:
    kind, options = op.number(3, "B"), op.table(4)
    if options is None:
        return
    if kind in _REFUSED_OPTIONS:
        raise _Damaged(f"an op has options of kind {kind}")
    for field in range(len(options.fields)):
        if field in _LISTS_IN_OPTIONS.get(kind, ()):
            options.numbers(field, "i")
        else:
            options.number(field, "B")
    for field, default in _POSITIVE.get(kind, {}).items():
        if options.number(field, "i", default) < 1:
            raise _Damaged("a convolution has a stride that is not positive")


def _names(entries: list[_Table], tensors: int) -> tuple[str, ...]:
    for entry in entries:
        _index(entry.number(1, "I"), tensors, "tensor")
    return tuple(entry.text(0) for entry in entries)


def _index(index: int, count: int, what: str) -> int:
    if not 0 <= index < count:
        raise _Damaged(f"{what} {index} does not exist")
    return index


def _indices(indices: tuple[int, ...], count: int, what: str) -> tuple[int, ...]:
    return tuple(_index(index, count, what) for index in indices)
