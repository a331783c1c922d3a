"""A folder that `train-attributes` made: the network, and what it said of the faces of its dataset."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmedge.attributes.about import ABOUT_FILE, NETWORK_FILE, read_about
from lmedge.errors import LmedgeError, UsageError
from lmedge.faces.records import FaceDataset
from lmedge.judging.features import Extractor, of_network
from lmedge.keras_file import load_network
from lmedge.storage import Damaged, read_arrays

PREDICTED_FILE, SHEET_FILE = "predicted.npz", "sheet.png"
FILES = (ABOUT_FILE, NETWORK_FILE, PREDICTED_FILE, SHEET_FILE)


@dataclass(frozen=True)
class Labeller:
    """Says what faces show: attributes `names`, each of which the share `prevalence` of the photos has. `facts` are all
    of attributes.json."""

    path: Path
    names: tuple[str, ...]
    prevalence: NDArray[np.float32]
    network: Any
    facts: dict[str, Any]

    @classmethod
    def open(cls, path: Path) -> "Labeller":
        """The labeller in a folder. Raises LmedgeError where it is none, damaged, or of another version."""
        facts = read_about(path)
        names = facts["names"]
        network = load_network(path / NETWORK_FILE, "run `lmedge train-attributes` again")
        if network.output_shape != (None, len(names)) or len(network.input_shape) != 4:
            raise LmedgeError(f"{path / NETWORK_FILE} is no network of {len(names)} attributes; train it again.")
        return cls(path, tuple(names), np.array(facts["prevalence"], np.float32), network, facts)

    @property
    def balanced_accuracy(self) -> dict[str, float]:
        """Of each attribute, on faces of people that it never saw."""
        return {name: self.facts["measured"][name]["balanced_accuracy"] for name in self.names}

    def probabilities(
        self, faces: NDArray[np.uint8], advance: Callable[[int], None] = lambda count: None
    ) -> NDArray[np.float32]:
        """How likely each face `[N, H, W, 3]` has each attribute: `[N, A]`, 0..1."""
        return self._compute(faces, advance)

    @cached_property
    def _compute(self) -> Extractor:
        return of_network("attributes", self.network)

    def values(self, faces: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The same as datasets have it: -1..1."""
        return 2 * self.probabilities(faces) - 1

    def shares(self, faces: NDArray[np.uint8]) -> dict[str, float]:
        """The share of some faces that has each attribute, by name: the mean probability, which unlike a count of the
        likely ones is right for rare attributes too."""
        return dict(zip(self.names, self.probabilities(faces).mean(axis=0).tolist(), strict=True))

    def of(self, dataset: FaceDataset) -> NDArray[np.float32]:
        """`[N, A]`, -1..1: what the photos of a dataset are said to show where somebody said it, elsewhere what the
        network did. Raises LmedgeError for another dataset than the one that it learnt from."""
        if self.facts["dataset"]["digest"] != dataset.digest:
            raise LmedgeError(
                f"{self.path} says what other faces show than those of {dataset.path}; run `lmedge train-attributes` "
                "on these."
            )
        try:
            predicted = read_arrays(self.path / PREDICTED_FILE, ["values"])["values"]
        except Damaged as error:
            raise LmedgeError(
                f"{self.path / PREDICTED_FILE} is damaged ({error.reason}); run `lmedge train-attributes` again."
            ) from None
        if predicted.shape != (self.facts["dataset"]["count"], len(self.names)) or len(predicted) != len(dataset):
            raise LmedgeError(f"{self.path / PREDICTED_FILE} has values of other faces; train the network again.")
        return known_first(dataset, self.names, predicted)

    def shown_by(self, dataset: FaceDataset, names: tuple[str, ...] = ()) -> FaceDataset:
        """The dataset with the attributes `names`, all where there are none, of every face; see `of`. Raises UsageError
        for a name that the network does not know."""
        for name in names:
            if name not in self.names:
                raise UsageError(f"{self.path} does not tell {name}; it tells {', '.join(self.names)}.")
        chosen = names or self.names
        return dataset.showing(chosen, self.of(dataset)[:, [self.names.index(name) for name in chosen]])


def known_first(dataset: FaceDataset, names: tuple[str, ...], predicted: NDArray[np.float32]) -> NDArray[np.float32]:
    """Predicted values `[N, A]` of attributes, under those that the dataset has of them."""
    values = predicted.copy()
    for i, name in enumerate(names):
        if name in dataset.attribute_names:
            said = dataset.attributes[:, dataset.attribute_names.index(name)]
            values[:, i] = np.where(np.isnan(said), predicted[:, i], said)
    return values
