"""What a model says of itself: TFLite's standard metadata, and the same and more as JSON for lmedge."""

import json
from typing import Any

from tensorflow.lite.python import schema_py_generated as schema

from convert import flatbuffer as fb
from convert.standard_metadata import NAME, Graph, ModelMetadata, Tensor
from lmedge.latent import LatentSpec
from lmedge.runtime.bundle import landmarks_form
from lmedge.runtime.model_file import ABOUT
from lmedge.scheme import Scheme

_DESCRIPTIONS = {
    "image": "Face, RGB, 0..255.",
    "landmarks": "Landmarks (x, y), normalised: ((x + 0.5) / width, (y + 0.5) / height) of pixel coordinates.",
    "confidence": "0..1: about the share of faces whose landmarks are expected to be less exact.",
    "point_confidence": "0..1 for each landmark: about the share of all landmarks of all faces that are expected to be "
    "less exact.",
}


def add_metadata(model: Any, about: dict[str, Any], variant: str) -> None:
    """Puts the facts of bundle.json (`about`, without the list of variants) into a model."""
    facts = {**about, "variant": variant}
    put(model, ABOUT, json.dumps(facts, separators=(",", ":")).encode())
    put(model, NAME, _standard(model, about, variant))


def add_facts(model: Any, latent: LatentSpec, scheme: Scheme) -> None:
    """Puts what a FaceSampler must know into a model that is of no bundle."""
    facts = {"latent": latent.to_json(), "landmarks": landmarks_form(scheme)}
    put(model, ABOUT, json.dumps(facts, separators=(",", ":")).encode())


def put(model: Any, name: str, data: bytes) -> None:
    """Adds an entry of metadata to a model."""
    entry = schema.MetadataT()
    entry.name, entry.buffer = name, fb.add_buffer(model, data)
    model.metadata = [*(model.metadata or []), entry]


def _standard(model: Any, about: dict[str, Any], variant: str) -> bytes:
    marks, image = about["landmarks"], about["image"]
    latent = LatentSpec.from_json(about["latent"], "the metadata")
    graphs = []
    for number, graph in enumerate(model.subgraphs):
        entry = next(s for s in model.signatureDefs if s.subgraphIndex == number)
        inputs = _tensors(graph.inputs, fb.named(entry.inputs), latent)
        outputs = _tensors(graph.outputs, fb.named(entry.outputs), latent)
        key = entry.signatureKey
        graphs.append(Graph(key.decode() if isinstance(key, bytes) else key, inputs, outputs))
    return ModelMetadata(
        name=f"{about['name']} ({variant})",
        description=f"Draws a face of {image['width']} x {image['height']} pixels with its {marks['count']} landmarks "
        f"({marks['scheme']}) from a latent of {latent}.",
        version=about["version"],
        author=f"lmedge {about['lmedge']}",
        licence=about["training"].get("licence", "not stated"),
        graphs=graphs,
    ).packed()


def _tensors(indices: Any, names: dict[str, int], latent: LatentSpec) -> list[Tensor]:
    by_index = {index: name for name, index in names.items()}
    return [_tensor(by_index[int(index)], latent) for index in indices]


def _tensor(name: str, latent: LatentSpec) -> Tensor:
    if name == "z":
        return Tensor(name, f"Latent: {latent}.", low=latent.low.tolist(), high=latent.high.tolist())
    if name == "image":
        return Tensor(name, _DESCRIPTIONS[name], image=True, low=[0.0], high=[255.0])
    return Tensor(name, _DESCRIPTIONS[name])
