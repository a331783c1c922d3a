"""What a converted model must pass before it is put into a bundle, and what is read off it for that."""

import re
from dataclasses import dataclass

from convert import flatbuffer as fb
from convert.recipe import Recipe
from lmedge.errors import LmedgeError, UsageError
from lmedge.runtime.delegation import Delegation
from lmedge.runtime.parity import Parity

VARIABLE_OPS = ("VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE", "CALL_ONCE")
OLDEST = "2.14"  # of the runtimes that the project tests; nothing is promised for older ones
# Op versions that came after OLDEST, and the TensorFlow that brought them.
LATER = {
    ("CONV_2D", 8): "2.15", ("TRANSPOSE_CONV", 5): "2.15", ("CAST", 6): "2.15", ("CAST", 7): "2.17",
    ("FULLY_CONNECTED", 11): "2.15", ("FULLY_CONNECTED", 12): "2.17", ("FULLY_CONNECTED", 13): "2.18",
    ("DEQUANTIZE", 6): "2.18", ("GATHER", 7): "2.15", ("GATHER_ND", 5): "2.16", ("TRANSPOSE", 7): "2.15",
    ("LOG", 2): "2.15", ("RSQRT", 3): "2.15", ("DYNAMIC_UPDATE_SLICE", 2): "2.17",
    ("EMBEDDING_LOOKUP", 4): "2.18", ("DILATE", 1): "2.15", ("REDUCE_WINDOW", 1): "2.15",
}  # fmt: skip


@dataclass(frozen=True)
class Limits:
    """What a variant may cost; None switches a gate off.

    `min_runtime`: the oldest TFLite that must load it. `image_error`: root mean square difference from Keras in
    levels (0..255). `landmark_error`: mean NME from Keras (a share). `outside`: nodes that XNNPACK leaves out.
    """

    min_runtime: str | None = OLDEST
    image_error: float | None = 6.0
    landmark_error: float | None = 0.02
    outside: int | None = 0


@dataclass(frozen=True)
class Contents:
    """What is in a model file: `ops` (name, version) with their number; custom ops by name; the weights' bytes;
    the lowest runtime that these ops need, and the op that needs it."""

    ops: dict[tuple[str, int], int]
    custom_ops: tuple[str, ...]
    weight_bytes: int
    min_runtime: str
    newest_op: tuple[str, int]


def parse_version(text: str) -> tuple[int, ...]:
    """`2.14` -> (2, 14). Raises UsageError."""
    if not re.fullmatch(r"\d+(\.\d+)*", text):
        raise UsageError(f"--min-runtime {text}: not a version such as {OLDEST}.")
    return tuple(map(int, text.split(".")))


def read_contents(model: bytes) -> Contents:
    """Reads ops and weights of a .tflite file that we have just converted."""
    root = fb.read(model)
    ops: dict[tuple[str, int], int] = {}
    for _, operator in fb.operators(root):
        op = fb.op_of(root, operator)
        ops[op] = ops.get(op, 0) + 1
    custom = tuple(code.customCode.decode() for code in root.operatorCodes if code.customCode)
    sizes = [0 if buffer.data is None else len(buffer.data) for buffer in root.buffers]
    newest = max(ops, key=lambda op: parse_version(needed(op)), default=("none", 0))
    return Contents(ops, custom, sum(sizes), needed(newest), newest)


def needed(op: tuple[str, int]) -> str:
    """The oldest runtime, of those promised, that has this version of the op."""
    name, version = op
    if name.startswith("STABLEHLO"):
        return "2.17"
    known = [v for v in LATER if v[0] == name and v[1] <= version]
    return LATER[max(known)] if known else OLDEST


def check_contents(contents: Contents, recipe: Recipe, weights: int, limits: Limits) -> None:
    """Refuses a model that would not load, or load and draw noise: `weights` is how many numbers it must hold
    at least. Raises LmedgeError naming op, version and remedy."""
    name = recipe.name
    if contents.custom_ops:
        raise LmedgeError(
            f"{name}: op {contents.custom_ops[0]} is not built into TFLite, so a device without "
            "TensorFlow's Flex library cannot run it; replace that layer of the generator."
        )
    for op, version in contents.ops:
        if op in VARIABLE_OPS:
            raise LmedgeError(
                f"{name}: op {op} version {version} is there, so the weights were not frozen into the model; "
                "export it through convert.export."
            )
    least = weights * recipe.weight_bytes
    if contents.weight_bytes < least:
        raise LmedgeError(
            f"{name}: the file holds {contents.weight_bytes} bytes of weights and {weights} of them "
            f"need {least}; the converter lost them."
        )
    if limits.min_runtime and parse_version(contents.min_runtime) > parse_version(limits.min_runtime):
        op, version = contents.newest_op
        raise LmedgeError(
            f"{name}: op {op} version {version} needs TFLite {contents.min_runtime} and --min-runtime is "
            f"{limits.min_runtime}; leave {name} out of --variants or raise --min-runtime."
        )


def check_parity(parity: Parity, recipe: Recipe, limits: Limits) -> None:
    """Refuses a model that draws something else than Keras. Raises LmedgeError."""
    for what, option, value, limit, unit in (
        ("image", "--max-image-error", parity.image_error, limits.image_error, " levels"),
        ("landmark", "--max-landmark-error", parity.landmark_nme, limits.landmark_error, " NME"),
    ):
        if limit is not None and value > limit:
            raise LmedgeError(
                f"{recipe.name}: {what} error {value:.3g}{unit} from Keras, {option} is {limit:g}; leave "
                f"{recipe.name} out of --variants, calibrate on more latents or raise {option}."
            )


def check_delegation(delegation: Delegation | None, recipe: Recipe, limits: Limits) -> None:
    """Refuses a model that XNNPACK does not run as promised. None: no interpreter here could tell. Raises
    LmedgeError naming the ops."""
    if delegation is None or limits.outside is None or delegation.outside_count <= limits.outside:
        return
    ops = ", ".join(f"{number} {op}" for op, number in delegation.outside.items())
    raise LmedgeError(
        f"{recipe.name}: XNNPACK leaves out {ops}, --max-outside is {limits.outside}; replace those layers of "
        f"the generator or raise --max-outside to {delegation.outside_count}."
    )
