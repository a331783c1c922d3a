"""Which nodes of a model XNNPACK runs, read off an interpreter."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Delegation:
    """`partitions`: how often the model enters XNNPACK. `outside`: op -> how many nodes are left to the
    interpreter's own kernels."""

    partitions: int
    outside: dict[str, int]

    @property
    def outside_count(self) -> int:
        return sum(self.outside.values())


def delegation(interpreter: Any) -> Delegation | None:
    """Of the first graph of an allocated interpreter; None where it does not tell.

    The list of nodes holds the original ones and, after them, those that stand for a partition. Walking back
    from the outputs, a partition comes before the nodes that it replaced.
    """
    try:
        nodes = interpreter._get_ops_details()
    except (AttributeError, ValueError):
        return None
    writer = {tensor: i for i, node in enumerate(nodes) for tensor in node["outputs"]}
    wanted = [detail["index"] for detail in interpreter.get_output_details()]
    reached: set[int] = set()
    while wanted:
        tensor = wanted.pop()
        if tensor in writer and writer[tensor] not in reached:
            reached.add(writer[tensor])
            wanted.extend(nodes[writer[tensor]]["inputs"])
    outside: dict[str, int] = {}
    partitions = 0
    for number in reached:
        name = nodes[number]["op_name"]
        if name == "DELEGATE":
            partitions += 1
        else:
            outside[name] = outside.get(name, 0) + 1
    return Delegation(partitions, dict(sorted(outside.items())))
