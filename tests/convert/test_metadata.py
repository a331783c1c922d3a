import json

import flatbuffers
import pytest
from mediapipe.tasks.metadata import metadata_schema_py_generated as schema
from mediapipe.tasks.python.metadata.metadata import MetadataDisplayer

from convert import flatbuffer as fb
from convert.standard_metadata import NAME
from lmedge.errors import LmedgeError
from lmedge.runtime import Bundle, FaceSampler
from lmedge.scheme import IBUG49


@pytest.mark.parametrize("variant", ["fp32", "int8"])
def test_the_standard_reader_finds_what_the_manifest_says(bundle, variant):
    about = json.loads((bundle / "bundle.json").read_text())
    shown = json.loads(MetadataDisplayer.with_model_file(str(bundle / f"faces-{variant}.tflite")).get_metadata_json())
    assert shown["name"] == f"faces ({variant})" and shown["version"] == about["version"]
    assert shown["license"] == "CC0-1.0"
    assert "32 x 32 pixels with its 49 landmarks (ibug49)" in shown["description"]
    sample = shown["subgraph_metadata"][0]
    assert [tensor["name"] for tensor in sample["input_tensor_metadata"]] == ["z"]
    outputs = {tensor["name"]: tensor for tensor in sample["output_tensor_metadata"]}
    assert outputs["image"]["content"]["content_properties"]["color_space"] == "RGB"
    assert outputs["image"]["stats"] == {"max": [255.0], "min": [0.0]}
    assert [part["name"] for part in shown["subgraph_metadata"]] == ["sample", "generate", "landmarks"]


def test_its_bytes_are_those_that_mediapipe_writes(bundle):
    model = fb.read((bundle / "faces-int8.tflite").read_bytes())
    (data,) = (bytes(model.buffers[m.buffer].data) for m in model.metadata if m.name in (NAME, NAME.encode()))
    builder = flatbuffers.Builder(1024)
    builder.Finish(schema.ModelMetadataT.InitFromPackedBuf(data, 0).Pack(builder), file_identifier=b"M001")
    assert bytes(builder.Output()) == data


def test_a_model_alone_knows_what_its_bundle_knew(bundle):
    alone, together = Bundle.open(bundle / "faces-int8.tflite"), Bundle.open(bundle)
    for key in ("latent", "image", "landmarks", "training", "version", "lmedge"):
        assert alone.about[key] == together.about[key]
    assert alone.about["variant"] == "int8"
    assert FaceSampler(alone).scheme == IBUG49 == FaceSampler(alone).sample(1).scheme


def test_info_shows_it_without_an_interpreter(bundle, lmedge):
    done = lmedge("info", bundle / "faces-int8.tflite", "--json")
    facts = json.loads(done.stdout)
    assert facts["signatures"]["sample"].startswith("z -> ") and facts["training"]["licence"] == "CC0-1.0"
    assert (facts["landmarks"]["scheme"], facts["landmarks"]["count"]) == ("ibug49", 49)
    assert "TFLITE_METADATA" in facts["metadata"]


def test_metadata_of_another_form_is_refused(bundle, tmp_path):
    data = (bundle / "faces-fp32.tflite").read_bytes()
    path = tmp_path / "m.tflite"
    path.write_bytes(data.replace(b'"ibug68/17"', b'"ibug68/18"'))
    with pytest.raises(LmedgeError, match="'landmarks' has two points of the origin 'ibug68/18'"):
        Bundle.open(path)
    path.write_bytes(data.replace(b'"origin":', b'"?rigin":'))
    with pytest.raises(LmedgeError, match="'landmarks' lacks 'origin'"):
        Bundle.open(path)
    path.write_bytes(data.replace(b'{"schema":2', b'{"schema":1'))
    with pytest.raises(LmedgeError, match="has schema 1, this version reads 2"):
        Bundle.open(path)
    path.write_bytes(data.replace(b'"landmarks":{"scheme"', b'"landmarkz":{"scheme"'))
    with pytest.raises(LmedgeError, match="does not say what its landmarks are"):
        FaceSampler(path)
    path.write_bytes(data.replace(b'{"schema":2', b'{{schema":2'))
    with pytest.raises(LmedgeError, match="its metadata is not JSON"):
        Bundle.open(path)
