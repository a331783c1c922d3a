"""The `train-attributes` stage: a network that says what faces show, its figures, and what it says of a dataset."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmedge.attributes.about import ABOUT_FILE, NETWORK_FILE, SCHEMA
from lmedge.attributes.figures import Measured, measured, unmeasured
from lmedge.attributes.labeller import FILES, PREDICTED_FILE, SHEET_FILE, Labeller, known_first
from lmedge.attributes.network import Fit, calibrated, calibration, fit_network, logits_of
from lmedge.attributes.options import TrainAttributesConfig
from lmedge.attributes.sheet import sheet
from lmedge.errors import LmedgeError, UsageError, nearest
from lmedge.faces.records import FaceDataset, chunks
from lmedge.folders import making_folder
from lmedge.judging.features import of_network
from lmedge.keras_file import network_bytes
from lmedge.options import to_json
from lmedge.pictures import write_picture
from lmedge.progress import console, progress
from lmedge.splits import Indices, split_by_group
from lmedge.storage import write_arrays, write_bytes, write_json
from lmedge.versions import versions

CHUNK = 512  # faces that are in memory where all of them are looked at


@dataclass(frozen=True)
class Trained:
    """The folder `path`, the figures of every attribute that was asked for, and the names of those that were `kept`;
    numbers of faces, by what they were for."""

    path: Path
    measured: list[Measured]
    kept: tuple[str, ...]
    faces: dict[str, int]


@dataclass(frozen=True)
class _Task:
    """What is to be learnt: the `values` `[N, A]` of all faces, and which of them have some, split by their groups;
    `unmeasured` are attributes that this split can neither teach nor measure."""

    names: tuple[str, ...]
    values: NDArray[np.float32]
    split: Indices
    unmeasured: tuple[Measured, ...] = ()

    @property
    def prevalence(self) -> NDArray[np.float32]:
        """`[A]`: the share of the training faces that has each attribute, of those that are known."""
        values = self.values[self.split[0]]
        yes, known = (values > 0).sum(axis=0), (~np.isnan(values)).sum(axis=0)
        return (yes / np.maximum(known, 1)).astype(np.float32)


def train_attributes(config: TrainAttributesConfig) -> Trained:
    """Trains a network of attributes on a dataset; see TrainAttributesConfig. Raises UsageError for attributes that
    cannot be learnt and a folder that is taken, LmedgeError where none is learnt well enough."""
    dataset = FaceDataset(config.faces)
    task = _task(config, dataset)
    with making_folder(config.out, "a network of attributes", config.overwrite, names=FILES) as folder:
        return dataclasses.replace(_train(config, dataset, task, folder), path=config.out)


def _task(config: TrainAttributesConfig, dataset: FaceDataset) -> _Task:
    known = dataset.attribute_names
    if not known:
        raise UsageError(
            f"{config.faces} has no attributes; give it some with `lmedge add-attributes`, or prepare it with "
            "--attributes."
        )
    for name in config.attributes:
        if name not in known:
            raise UsageError(f"--attributes {name}: {config.faces} has none of that name; {nearest(name, known)}")
    wanted = config.attributes or known
    values = dataset.attributes[:, [known.index(name) for name in wanted]]
    both = _has_both(values)
    if one_sided := [name for name, has_both in zip(wanted, both, strict=True) if not has_both]:
        if config.attributes or not both.any():
            raise UsageError(
                f"--attributes {one_sided[0]}: all faces of {config.faces} of which it is known have the same value, "
                "so there is nothing to learn; take others."
            )
        console.print(f"left out, as all faces have the same value: {', '.join(one_sided)}")
    values = values[:, both]
    labelled = np.flatnonzero((~np.isnan(values)).any(axis=1))
    parts = split_by_group(dataset.groups[labelled], config.held_out, config.seed)
    training, validation, held_out = (labelled[part] for part in parts)
    names = tuple(name for name, has_both in zip(wanted, both, strict=True) if has_both)
    return _measurable(config, _Task(names, values, (training, validation, held_out)))


def _has_both(values: NDArray[np.float32]) -> NDArray[np.bool_]:
    """`[A]`: do some faces have the attribute and some not, of values `[N, A]`?"""
    return (values > 0).any(axis=0) & (values < 0).any(axis=0)


def _measurable(config: TrainAttributesConfig, task: _Task) -> _Task:
    """Without the attributes that faces to learn from, or held-out ones, all have or all lack: no figure would say
    whether they were learnt. Raises UsageError where none is left, before a training of hours."""
    training, _, held_out = task.split
    good = _has_both(task.values[training]) & _has_both(task.values[held_out])
    out = [unmeasured(task.names[i], task.values[held_out, i]) for i in np.flatnonzero(~good)]
    if not good.any():
        raise UsageError(
            f"{config.faces} has no attribute with both values on the {len(training)} faces to learn from and on the "
            f"{len(held_out)} held-out ones ({out[0].name}: {out[0].yes} held-out faces with it, {out[0].no} without); "
            "label more people, raise --held-out or take another --seed."
        )
    if out:
        console.print(
            "not measured and left out, as the faces to learn from or the held-out ones all have the same value: "
            f"{', '.join(each.name for each in out)}"
        )
    names = tuple(task.names[i] for i in np.flatnonzero(good))
    return _Task(names, task.values[:, good], task.split, tuple(out))


def _train(config: TrainAttributesConfig, dataset: FaceDataset, task: _Task, folder: Path) -> Trained:
    fit, (training, validation, held_out) = Fit.of(config), task.split
    batch = min(fit.batch, len(training))
    with progress("train-attributes", fit.epochs * (len(training) // batch) * batch, "faces") as advance:
        network = fit_network(fit, dataset.images(training), task.values[training], advance)
    logits = of_network("logits", logits_of(network))
    scale, offset = calibration(logits(dataset.images(validation)), task.values[validation])
    sure = 1 / (1 + np.exp(-(logits(dataset.images(held_out)) * scale + offset)))
    figures = [measured(name, sure[:, i], task.values[held_out, i], float(task.prevalence[i]))
               for i, name in enumerate(task.names)]  # fmt: skip
    good = [i for i, each in enumerate(figures) if each.balanced_accuracy >= config.min_balanced_accuracy]
    if not good:
        best = max(figures, key=lambda each: each.balanced_accuracy)
        raise LmedgeError(
            f"no attribute reaches --min-balanced-accuracy {config.min_balanced_accuracy:g} on people that were held "
            f"out ({best.name} has {best.balanced_accuracy:.2f}); train on more faces or for more --epochs."
        )
    kept = np.array(good)
    names = tuple(task.names[i] for i in good)
    network = calibrated(network, scale, offset, kept)
    labeller = Labeller(folder, names, task.prevalence[kept], network, {})
    predicted = _predicted(labeller, dataset)
    write_bytes(folder / NETWORK_FILE, network_bytes(network))
    write_arrays(folder / PREDICTED_FILE, {"values": predicted})
    unseen = np.setdiff1d(np.arange(len(dataset)), training)
    write_picture(folder / SHEET_FILE, sheet(lambda some: dataset.images(unseen[some]), names, predicted[unseen]))
    faces = {"training": len(training), "calibration": len(validation), "held_out": len(held_out),
             "labelled_by_network": int(np.isnan(task.values[:, kept]).any(axis=1).sum())}  # fmt: skip
    figures += task.unmeasured
    write_json(folder / ABOUT_FILE, _facts(config, dataset, task, labeller, predicted, figures) | {"faces": faces})
    return Trained(folder, figures, names, faces)


def _predicted(labeller: Labeller, dataset: FaceDataset) -> NDArray[np.float32]:
    """What the network says of every face, `[N, A]`, -1..1."""
    with progress("label", len(dataset), "faces") as advance:
        parts = []
        for some in chunks(len(dataset), CHUNK):
            parts.append(labeller.values(dataset.images(some)))
            advance(len(some))
    return np.concatenate(parts)


def _facts(
    config: TrainAttributesConfig, dataset: FaceDataset, task: _Task, labeller: Labeller,
    predicted: NDArray[np.float32], figures: list[Measured],
) -> dict[str, Any]:  # fmt: skip
    """attributes.json, but for the numbers of faces."""
    shares = (1 + known_first(dataset, labeller.names, predicted).mean(axis=0)) / 2
    options = {name: value for name, value in to_json(config).items() if name not in ("faces", "out", "overwrite")}
    return {
        "schema": SCHEMA,
        "names": list(labeller.names),
        "prevalence": labeller.prevalence.tolist(),
        "size": dataset.size,
        "weights": labeller.network.count_params(),
        "measured": {each.name: each.to_json() for each in figures},
        "shares": dict(zip(labeller.names, shares.tolist(), strict=True)),
        "left_out": [each.name for each in figures if each.name not in labeller.names],
        "people": [len(np.unique(dataset.groups[part])) for part in task.split],
        "dataset": {"digest": dataset.digest, "count": len(dataset), "licence": dataset.provenance.licence},
        "options": options,
        "versions": versions("tensorflow", "keras", "numpy"),
    }
