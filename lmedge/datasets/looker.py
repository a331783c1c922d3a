"""What generated faces show: a network of attributes looks at each."""

import hashlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmedge.datasets.stream import Samples
from lmedge.errors import UsageError
from lmedge.installation import install
from lmedge.quiet import load_tensorflow


@dataclass(frozen=True)
class Looker:
    """Gives faces the attributes `names`; `facts` are what the card says of it."""

    names: tuple[str, ...]
    values: Callable[[NDArray[np.uint8]], NDArray[np.float32]]
    facts: dict[str, Any]

    def __call__(self, samples: Samples) -> Samples:
        return replace(samples, attributes=self.values(samples.images()))


def looker_of(folder: Path | None) -> Looker | None:
    """The network of a folder of `train-attributes`, where one is given. Raises UsageError without TensorFlow,
    LmedgeError for a folder that is none."""
    if folder is None:
        return None
    if importlib.util.find_spec("tensorflow") is None:
        raise UsageError(f"--attributes {folder}: needs tensorflow, not installed here; {install('train')}.")
    load_tensorflow()
    from lmedge.attributes.about import NETWORK_FILE
    from lmedge.attributes.labeller import Labeller  # here, as sets are drawn without TensorFlow too

    labeller = Labeller.open(folder)
    return Looker(labeller.names, labeller.values, {
        "names": list(labeller.names),
        "balanced_accuracy": labeller.balanced_accuracy,
        "licence": labeller.facts["dataset"]["licence"],
        "network": hashlib.sha256((folder / NETWORK_FILE).read_bytes()).hexdigest(),
    })  # fmt: skip
