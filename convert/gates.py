"""What a converted model must pass before it is put into a bundle, and what is read off it for that."""

import re
from dataclasses import dataclass
from typing import Any

from tensorflow.lite.python import schema_py_generated as schema

from lmedge.errors import LmedgeError

VARIABLE_OPS = ("VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE", "CALL_ONCE")
_OP_NAMES = {v: k for k, v in vars(schema.BuiltinOperator).items() if not k.startswith("_")}


@dataclass(frozen=True)
class Contents:
    """What is in a model file: `ops` (name, version) with their number; the weights' bytes; the lowest
    runtime that the converter's own table gives for these ops."""

    ops: dict[tuple[str, int], int]
    custom_ops: tuple[str, ...]
    weight_bytes: int
    min_runtime: str


def read_contents(model: bytes) -> Contents:
    """Reads ops and weights of a .tflite file that we have just converted."""
    root = schema.Model.GetRootAs(model)
    codes, custom = [], []
    for i in range(root.OperatorCodesLength()):
        code = root.OperatorCodes(i)
        builtin = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
        if code.CustomCode():
            custom.append(code.CustomCode().decode())
        codes.append((_OP_NAMES.get(builtin, str(builtin)), code.Version()))
    ops: dict[tuple[str, int], int] = {}
    for s in range(root.SubgraphsLength()):
        graph = root.Subgraphs(s)
        for i in range(graph.OperatorsLength()):
            op = codes[graph.Operators(i).OpcodeIndex()]
            ops[op] = ops.get(op, 0) + 1
    sizes = [root.Buffers(i).DataLength() for i in range(root.BuffersLength())]
    return Contents(ops, tuple(custom), sum(sizes), _min_runtime(root))


def _min_runtime(root: Any) -> str:
    for i in range(root.MetadataLength()):
        entry = root.Metadata(i)
        if entry.Name() == b"min_runtime_version":
            text = root.Buffers(entry.Buffer()).DataAsNumpy().tobytes().rstrip(b"\0").decode()
            if re.fullmatch(r"\d+(\.\d+)+", text):
                return text
    return "unknown"


def check(model: bytes, variant: str, weights: int) -> Contents:
    """Refuses a model that would load and then fail, or draw noise: `weights` is how many numbers it must hold
    at least. Raises LmedgeError naming the op."""
    contents = read_contents(model)
    if contents.custom_ops:
        raise LmedgeError(
            f"{variant}: op {contents.custom_ops[0]} is not built into TFLite, so a device without "
            "TensorFlow's Flex library cannot run it; replace that layer of the generator."
        )
    for name, _ in contents.ops:
        if name in VARIABLE_OPS:
            raise LmedgeError(f"{variant}: op {name} is there, so the weights were not frozen into the model.")
    least = weights * (1 if variant == "int8" else 4)
    if contents.weight_bytes < least:
        raise LmedgeError(
            f"{variant}: the file holds {contents.weight_bytes} bytes of weights and {weights} of them "
            f"need {least}; the converter lost them."
        )
    return contents
