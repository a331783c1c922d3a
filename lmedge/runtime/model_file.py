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
from lmedge.runtime.flatbuffer import Damaged, Reader, Table
from lmedge.storage import Damaged as DamagedFile

LARGEST_TENSOR = 1 << 28  # bytes
LARGEST_SUM = 1 << 29  # bytes that running it takes: what graphs compute, and weights as often as ops read them
LARGEST_ABOUT = 1 << 20  # bytes of our metadata
MOST_GRAPHS = 16  # ours have one for each signature
LONGEST_SHAPE = 32  # numbers in a constant that tells a shape: two for each side
SMALLEST_SCALE = 1e-15
LARGEST_FACTOR = 256.0  # of a scale, and of a product of scales over that of the output: what kernels take
ABOUT = "LMEDGE_METADATA"  # name of the entry with our own facts, as JSON

# Tensor types -> bytes of an element: float32, float16, int32, uint8, int64, bool, int16, int8.
_TYPE_BYTES = {0: 4, 1: 2, 2: 4, 3: 1, 4: 8, 6: 1, 7: 2, 9: 1}
_REFUSED_OPS = {31: "CALL", 32: "CUSTOM", 51: "DELEGATE", 118: "IF", 119: "WHILE", 129: "CALL_ONCE",
                136: "HASHTABLE", 137: "HASHTABLE_FIND", 138: "HASHTABLE_IMPORT", 139: "HASHTABLE_SIZE",
                142: "VAR_HANDLE", 143: "READ_VARIABLE", 144: "ASSIGN_VARIABLE"}  # fmt: skip
_CONVERSIONS = (6, 53, 114)  # DEQUANTIZE, CAST, QUANTIZE: the ops whose output may be of another type
_REAL_TYPES = (0, 1, 3, 7, 9)  # float32, float16, uint8, int16, int8
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


def check_model(data: bytes, name: str) -> ModelFile:
    """Reads a model file. Raises LmedgeError, naming the file `name`, for one that is malformed or that asks for
    more than a face model does."""
    if data[4:8] != b"TFL3":
        raise LmedgeError(f"{name} is not a TFLite model.")
    try:
        return _model(Reader(memoryview(data)))
    except Damaged as damage:
        sentence = f"{name} is damaged or not a face model ({damage}); export or copy it again."
        raise DamagedFile(sentence, str(damage)) from None


def _model(reader: Reader) -> ModelFile:
    model = reader.table(reader.follow(0))
    if (version := model.number(0, "I")) != 3:
        raise Damaged(f"its schema is {version}, not 3")
    buffers = [_buffer(table) for table in model.tables(4)]
    codes = [_code(table) for table in model.tables(1)]
    ops: dict[int, int] = {}
    graphs = model.tables(2)
    if not 1 <= len(graphs) <= MOST_GRAPHS:
        raise Damaged(f"it has {len(graphs) or 'no'} graph{'s' * (len(graphs) > 1)}")
    tensors, needed = [], 0
    for table in graphs:
        count, size = _graph(table, codes, buffers, ops)
        tensors.append(count)
        needed += size
    if needed > LARGEST_SUM:
        raise Damaged(f"its tensors need {needed >> 20} MiB")
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


def _about(data: memoryview | None) -> dict[str, Any]:
    if data is None:
        return {}
    if len(data) > LARGEST_ABOUT:
        raise Damaged(f"its metadata has {len(data)} bytes")
    try:
        about = json.loads(bytes(data))
    except (ValueError, RecursionError):
        raise Damaged("its metadata is not JSON") from None
    if not isinstance(about, dict):
        raise Damaged("its metadata is no JSON object")
    return about


def _buffer(table: Table) -> memoryview:
    # Fields 1 and 2 point behind the flatbuffer, for models over 2 GB.
    if not table.absent(1, 2):
        raise Damaged("its weights lie outside the flatbuffer")
    return table.bytes(0)


def _code(table: Table) -> int:
    code = max(table.number(0, "b"), table.number(3, "i"))
    if code in _REFUSED_OPS or table.place(1) is not None:
        raise Damaged(f"it uses the op {_REFUSED_OPS.get(code, 'CUSTOM')}")
    if not 0 <= code < _FIRST_STABLEHLO:
        raise Damaged(f"it uses the unknown op {code}")
    return code


@dataclass(frozen=True)
class _Tensor:
    """What an op's tensors are held against: `constant` is its content, empty for one that is computed; `scale` its
    largest scale, 0 for none."""

    shape: tuple[int, ...]
    kind: int
    size: int  # bytes
    constant: memoryview
    scale: float

    def integers(self) -> tuple[int, ...]:
        """The content of an int32 constant that is short, as what tells a shape is; otherwise nothing."""
        count = len(self.constant) // 4
        return struct.unpack(f"<{count}i", self.constant) if self.kind == 2 and count <= LONGEST_SHAPE else ()


def _graph(table: Table, codes: list[int], buffers: list[memoryview], ops: dict[int, int]) -> tuple[int, int]:
    """Checks a graph, counts its ops; returns how many tensors it has, and the bytes that it takes to run."""
    tensors = [_tensor(entry, buffers) for entry in table.tables(0)]
    # Delegates keep weights of their own for each op that reads some.
    needed = sum(tensor.size for tensor in tensors if not tensor.constant)
    inputs = _indices(table.numbers(1, "i"), len(tensors), "tensor")
    outputs = _indices(table.numbers(2, "i"), len(tensors), "tensor")
    table.text(4)
    if not inputs or not outputs:
        raise Damaged("a graph has no input or no output")
    known = {number for number, tensor in enumerate(tensors) if tensor.constant} | set(inputs)
    for op in table.tables(3):
        code = codes[_index(op.number(0, "I"), len(codes), "op")]
        ops[code] = ops.get(code, 0) + 1
        # -1 stands for an input that is left out, which only the third and later ones may be (a bias).
        given = op.numbers(1, "i")
        read = [_index(i, len(tensors), "tensor") for at, i in enumerate(given) if i != -1 or at < 2]
        written = _indices(op.numbers(2, "i"), len(tensors), "tensor")
        if not written or not read or not known.issuperset(read):
            raise Damaged("an op reads what nothing has written")
        if known.intersection(written):
            raise Damaged("an op writes what is there already")
        known.update(written)
        needed += sum(tensors[i].size for i in read if tensors[i].constant)
        if not op.absent(5, 7, 8, 9, 10, 11, 12):
            raise Damaged("an op carries data that a face model does not need")
        _options(op)
        _operands(code, [tensors[i] for i in read], [tensors[i] for i in written])
    if not known.issuperset(outputs):
        raise Damaged("nothing writes an output")
    return len(tensors), needed


def _operands(code: int, read: list[_Tensor], written: list[_Tensor]) -> None:
    """Checks what kernels take on trust of the tensors of an op."""
    kinds = {t.kind for t in (*read, *written) if not t.constant and t.kind in _REAL_TYPES}
    if code not in _CONVERSIONS and len(kinds) > 1:
        raise Damaged("an op mixes the types of its tensors")
    # Kernels turn in * weights / out into a shift, and abort the process where it is too far.
    out = min(tensor.scale for tensor in written)
    factors = sorted(tensor.scale for tensor in read if tensor.scale)[-2:]
    if out and factors and max(math.prod(factors), *factors) / out > LARGEST_FACTOR:
        raise Damaged("an op scales its input beyond measure")
    # Kernels make room for what these constants say, whatever the shape of the output is.
    if code in _SHAPED and not _SHAPED[code](read, written[0].shape):
        raise Damaged("an op gives another shape than its output has")


def _padded(read: list[_Tensor], shape: tuple[int, ...]) -> bool:
    sides = read[1].integers() if len(read) > 1 else ()
    before, after = sides[::2], sides[1::2]
    wanted = tuple(map(sum, zip(read[0].shape, before, after, strict=False)))
    return min(sides, default=-1) >= 0 and len(sides) == 2 * len(shape) and wanted == shape


def _tiled(read: list[_Tensor], shape: tuple[int, ...]) -> bool:
    times = read[1].integers() if len(read) > 1 else ()
    return tuple(a * b for a, b in zip(read[0].shape, times, strict=False)) == shape


def _resized(read: list[_Tensor], shape: tuple[int, ...]) -> bool:
    return len(read) > 1 and read[1].integers() == shape[1:3]


def _told(read: list[_Tensor], shape: tuple[int, ...]) -> bool:
    return read[0].integers() == shape


def _reshaped(read: list[_Tensor], shape: tuple[int, ...]) -> bool:
    return math.prod(read[0].shape) == math.prod(shape)


# Op -> check: RESHAPE, RESIZE_BILINEAR, PAD, PADV2, TRANSPOSE_CONV, TILE, RESIZE_NEAREST_NEIGHBOR, MIRROR_PAD.
_SHAPED = {22: _reshaped, 23: _resized, 34: _padded, 60: _padded, 67: _told, 69: _tiled, 97: _resized, 100: _padded}


def _tensor(tensor: Table, buffers: list[memoryview]) -> _Tensor:
    shape, kind = tensor.numbers(0, "i"), tensor.number(1, "b")
    if kind not in _TYPE_BYTES:
        raise Damaged(f"a tensor has type {kind}")
    if any(side < 1 for side in (*shape, *(s for s in tensor.numbers(7, "i") if s != -1))):
        raise Damaged(f"a tensor has shape {list(shape)}")
    size = math.prod(shape) * _TYPE_BYTES[kind]
    if size > LARGEST_TENSOR:
        raise Damaged(f"a tensor of shape {list(shape)} needs {size >> 20} MiB")
    content = buffers[_index(tensor.number(2, "I"), len(buffers), "buffer")]
    if content and len(content) != size:
        raise Damaged(f"a tensor of {size} bytes holds {len(content)}")
    tensor.text(3)
    if tensor.number(5, "B") or not tensor.absent(6, 9):
        raise Damaged("a tensor is variable, sparse or of several types")
    quantisation = tensor.table(4)
    scale = 0.0 if quantisation is None else _largest_scale(quantisation, shape)
    return _Tensor(shape, kind, size, content, scale)


def _largest_scale(table: Table, shape: tuple[int, ...]) -> float:
    scales, zeros = table.numbers(2, "f"), table.numbers(3, "q")
    table.numbers(0, "f"), table.numbers(1, "f")
    if not table.absent(5):
        raise Damaged("a tensor has a quantisation of its own kind")
    axis = table.number(6, "i")
    wide = len(scales) > 1
    if (len(scales) != len(zeros) and zeros) or (wide and not 0 <= axis < len(shape)):
        raise Damaged("a tensor has a wrong quantisation")
    if wide and len(scales) != shape[axis]:
        raise Damaged(f"a tensor has {len(scales)} scales for {shape[axis]} channels")
    if not all(math.isfinite(scale) and SMALLEST_SCALE < scale < LARGEST_FACTOR for scale in scales):
        raise Damaged("a tensor has a scale that is no sensible number")
    if not all(-128 <= zero <= 255 for zero in zeros):
        raise Damaged("a tensor has a zero point that is no byte")
    return max(scales, default=0.0)


def _options(op: Table) -> None:
    kind, options = op.number(3, "B"), op.table(4)
    if options is None:
        return
    if kind in _REFUSED_OPTIONS:
        raise Damaged(f"an op has options of kind {kind}")
    for field in range(len(options.fields)):
        if field in _LISTS_IN_OPTIONS.get(kind, ()):
            options.numbers(field, "i")
        else:
            options.number(field, "B")
    for field, default in _POSITIVE.get(kind, {}).items():
        if options.number(field, "i", default) < 1:
            raise Damaged("a convolution has a stride that is not positive")


def _names(entries: list[Table], tensors: int) -> tuple[str, ...]:
    for entry in entries:
        _index(entry.number(1, "I"), tensors, "tensor")
    return tuple(entry.text(0) for entry in entries)


def _index(index: int, count: int, what: str) -> int:
    if not 0 <= index < count:
        raise Damaged(f"{what} {index} does not exist")
    return index


def _indices(indices: tuple[int, ...], count: int, what: str) -> tuple[int, ...]:
    return tuple(_index(index, count, what) for index in indices)
