"""The `info` stage: what a dataset, run, bundle, model, detector, network of attributes or folder of labels holds."""

from pathlib import Path
from typing import Any

from lmedge.about.options import InfoConfig
from lmedge.about.whole import DETECTOR, check_detector, check_pictures
from lmedge.attributes import about as attributes
from lmedge.coco import HIDDEN
from lmedge.errors import LmedgeError, UsageError
from lmedge.faces.about import DATASET_FILE, read_about
from lmedge.fetched import fetched
from lmedge.folders import half_made
from lmedge.gan import checkpoint
from lmedge.gan.options import TrainGanConfig
from lmedge.keras_file import check_network_file
from lmedge.labels.folder import ABOUT_FILE, LabelFolder
from lmedge.run import VERB_OF, Run
from lmedge.runtime.bundle import BUNDLE_FILE, Bundle, read_model
from lmedge.runtime.detector import DETECTOR_FILE, DETECTOR_SCHEMA
from lmedge.shipped import bundle_at
from lmedge.storage import read_json
from lmedge.url import Url


def info(config: InfoConfig) -> dict[str, Any]:
    """Everything that is known of `config.path`, by name. Needs no TensorFlow. Raises UsageError for a path of no known
    kind; from an object store only what can be told of is fetched, and of a dataset little."""
    path = config.path if isinstance(config.path, Url) and not config.model else bundle_at(config.path, config.model)
    for file, read in _READERS.items():
        if (path / file).is_file():
            return read(path if read is _dataset else fetched(path))
    if path.is_file() and path.suffix == ".tflite":
        return _model(path)
    if half_made(path):
        raise UsageError(f"{path} is a half-made dataset; run the command that made it again.")
    if not path.exists():
        raise UsageError(f"{path} does not exist.")
    raise UsageError(
        f"{path} is neither a dataset, a run, a bundle, a detector, a network of attributes, labels nor a .tflite file."
    )


def _dataset(path: Path) -> dict[str, Any]:
    about = read_about(path).facts
    return {**{k: v for k, v in about.items() if k != "shards"}, "kind": "dataset",
            "shards": len(about["shards"]),
            "bytes": sum(shard.stat().st_size for shard in path.glob("faces-*.tfrecord"))}  # fmt: skip


def _run(path: Path) -> dict[str, Any]:
    run = Run.open(path)
    config, trained = run.config(), run.stage("train-gan", TrainGanConfig)
    if "dataset" in config:  # what other verbs read; refused where it is damaged
        _ = run.scheme, run.provenance
    if "latent" in config:
        _ = run.latent
    steps = [checkpoint.step_of(found) for found in checkpoint.checkpoints(run.checkpoints)]
    facts = {"kind": "run", "stages": list(config["stages"]), "checkpoint_step": steps[-1] if steps else None}
    for name in ("family", "preset", "width", "batch", "precision", "seed"):
        facts[name] = trained.get(name)
    for name in ("latent", "dataset"):
        facts[name] = config.get(name)
    for name in (
        "generator.keras",
        "encoder.keras",
        "lgen.keras",
        "confidence.keras",
        "point_confidence.keras",
        "latents/latents.json",
        "metrics.json",
        "report/index.html",
    ):
        facts[name] = (path / name).exists()
    if run.lgen_metrics_file.exists():
        _ = run.lgen_provenance
        facts["held_out_nme"] = run.lgen_metrics()["held_out"]["nme"]
    facts["versions"] = config.get("versions")
    for name, verb in VERB_OF.items():
        if facts[name]:
            check_network_file(path / name, f"run `lmedge {verb}` again")
    return facts


def _bundle(path: Path) -> dict[str, Any]:
    bundle = Bundle.open(path)
    for variant in bundle.variants:
        bundle.model(variant)  # checks its hash and its structure
    return {**bundle.about, "kind": "bundle"}


def _detector(path: Path) -> dict[str, Any]:
    about = read_json(path / DETECTOR_FILE, DETECTOR, {"variants": dict})
    if about.get("schema") != DETECTOR_SCHEMA:
        raise LmedgeError(
            f"{path / DETECTOR_FILE} has schema {about.get('schema')!r}, this version reads {DETECTOR_SCHEMA}; train "
            "it again, or install the lmedge that made it."
        )
    check_detector(path, about, path / DETECTOR_FILE)
    return {**about, "kind": "detector"}


def _network(path: Path) -> dict[str, Any]:
    about = attributes.read_about(path)
    check_network_file(path / attributes.NETWORK_FILE, "run `lmedge train-attributes` again")
    return {**about, "kind": "attributes"}


def _model(path: Path) -> dict[str, Any]:
    model = read_model(path)
    if model.about:
        Bundle.open(path)  # refuses one of another version, which cannot be run either
    return {
        **model.about,
        "kind": "model",
        "bytes": path.stat().st_size,
        "signatures": {name: f"{', '.join(inputs)} -> {', '.join(outputs)}"
                       for name, (inputs, outputs) in model.signatures.items()},
        "operators": sum(model.ops.values()),
        "metadata": list(model.metadata),
    }  # fmt: skip


def _labels(path: Path) -> dict[str, Any]:
    labels = LabelFolder.open(path)
    check_pictures(labels)
    placed, complete = labels.placed, labels.complete
    counts = dict(zip(labels.scheme.names, placed.sum(axis=0).tolist(), strict=True))
    return {"kind": "labels", "generator": labels.generator, "width": labels.width, "height": labels.height,
            "scheme": labels.scheme.to_json(), "faces": len(labels), "whole": int(complete.sum()),
            "in_part": int((placed.any(axis=1) & ~complete).sum()), "placed": counts,
            "hidden": int((labels.visibility == HIDDEN).sum())}  # fmt: skip


_READERS = {
    DATASET_FILE: _dataset,
    "config.json": _run,
    BUNDLE_FILE: _bundle,
    DETECTOR_FILE: _detector,
    attributes.ABOUT_FILE: _network,
    ABOUT_FILE: _labels,
}
