"""What a model says of itself: TFLite's standard metadata, and the same and more as JSON for lmedge."""

import json
from typing import Any

import flatbuffers
from mediapipe.tasks.metadata import metadata_schema_py_generated as standard
from tensorflow.lite.python import schema_py_generated as schema

from convert import flatbuffer as fb
from lmedge.latent import LatentSpec
from lmedge.runtime.bundle import landmarks_form
from lmedge.runtime.model_file import ABOUT
from lmedge.scheme import Scheme

STANDARD = "TFLITE_METADATA"  # name by which readers of the standard metadata find it
IDENTIFIER = b"M001"
MIN_PARSER = "1.0.0"
_DESCRIPTIONS = {
    "image": "Face, RGB, 0..255.",
    "landmarks": "Landmarks (x, y), normalised: ((x + 0.5) / width, (y + 0.5) / height) of pixel coordinates.",
    "confidence": "0..1: about the share of faces whose landmarks are expected to be less exact.",
}


def add_metadata(model: Any, about: dict[str, Any], variant: str) -> None:
    """Puts the facts of bundle.json (`about`, without the list of variants) into a model."""
    facts = {**about, "variant": variant}
    put(model, ABOUT, json.dumps(facts, separators=(",", ":")).encode())
    put(model, STANDARD, _standard(model, about, variant))


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
    metadata = standard.ModelMetadataT()
    metadata.name = f"{about['name']} ({variant})"
    metadata.description = (
        f"Draws a face of {image['width']} x {image['height']} pixels with its {marks['count']} landmarks "
        f"({marks['scheme']}) from a latent of {latent}."
    )
    metadata.version = about["version"]
    metadata.author = f"lmedge {about['lmedge']}"
    metadata.license = about["training"].get("licence", "not stated")
    metadata.minParserVersion = MIN_PARSER
    metadata.subgraphMetadata = []
    for number, graph in enumerate(model.subgraphs):
        entry = next(s for s in model.signatureDefs if s.subgraphIndex == number)
        part = standard.SubGraphMetadataT()
        part.name = entry.signatureKey
        # In the order of the graph, which readers go by, not of the signature.
        part.inputTensorMetadata = _tensors(graph.inputs, fb.named(entry.inputs), latent)
        part.outputTensorMetadata = _tensors(graph.outputs, fb.named(entry.outputs), latent)
        metadata.subgraphMetadata.append(part)
    builder = flatbuffers.Builder(1024)
    builder.Finish(metadata.Pack(builder), file_identifier=IDENTIFIER)
    return bytes(builder.Output())


def _tensors(indices: Any, names: dict[str, int], latent: LatentSpec) -> list[Any]:
    by_index = {index: name for name, index in names.items()}
    return [_tensor(by_index[int(index)], latent) for index in indices]


def _tensor(name: str, latent: LatentSpec) -> Any:
    tensor = standard.TensorMetadataT()
    tensor.name, tensor.description = name, f"Latent: {latent}." if name == "z" else _DESCRIPTIONS[name]
    tensor.content = standard.ContentT()
    if name == "image":
        properties = standard.ImagePropertiesT()
        properties.colorSpace = standard.ColorSpaceType.RGB
        tensor.content.contentPropertiesType = standard.ContentProperties.ImageProperties
    else:
        properties = standard.FeaturePropertiesT()
        tensor.content.contentPropertiesType = standard.ContentProperties.FeatureProperties
    tensor.content.contentProperties = properties
    tensor.stats = standard.StatsT()
    bounds = {"z": (latent.low.tolist(), latent.high.tolist()), "image": ([0.0], [255.0])}
    if name in bounds:
        tensor.stats.min, tensor.stats.max = bounds[name]
    return tensor
