import keras
import numpy as np
import pytest

from convert import flatbuffer as fb
from convert.detector import export_detector, of_bytes
from lmedge.affine import cut, inverse, moved, square_to_face
from lmedge.datasets.augment import Augmentation
from lmedge.detector.diet import Diet, LabelledFaces
from lmedge.detector.network import detect, fit
from lmedge.errors import LmedgeError, UsageError
from lmedge.faces.records import FaceDataset
from lmedge.landmarks import nme
from lmedge.provenance import Provenance
from lmedge.runtime.detector import LandmarkDetector
from lmedge.scheme import IBUG49
from tests.conftest import drawn_photo

HAAR = {"crop": "haar", "margin": 0.25}


@pytest.fixture(scope="module")
def faces(toys):
    dataset = FaceDataset(toys)
    return LabelledFaces(dataset.images(np.arange(48)), dataset.landmarks, dataset.scheme)


@pytest.fixture(scope="module")
def network(faces):
    return fit(Diet(faces, None, 0.5, Augmentation()), 60, 0, lambda *_: None)


@pytest.fixture(scope="module")
def models(network, faces, tmp_path_factory):
    facts = {"licence": "CC0-1.0", "provenance": Provenance("pts", "1", HAAR).to_json()}
    models = export_detector(network, faces, faces, tmp_path_factory.mktemp("out") / "detector", facts)
    return {model.file.stem.removeprefix("detector-"): model.file for model in models}


def test_scaling_goes_into_the_first_convolution(network, faces):
    plain = of_bytes(network)
    assert "scaled" not in [layer.name for layer in plain.layers]
    assert detect(plain, faces.images) == pytest.approx(detect(network, faces.images), abs=1e-3)
    assert isinstance(network.layers[1], keras.layers.Rescaling)


@pytest.mark.parametrize(("variant", "limit"), [("fp32", 1e-4), ("int8", 0.02)])
def test_the_models_find_what_keras_finds(models, network, faces, variant, limit):
    detector = LandmarkDetector(models[variant])
    found, wanted = detector.landmarks(faces.images), detect(network, faces.images)
    assert nme(found, wanted, IBUG49).mean() < limit
    assert detector.scheme == IBUG49 and detector.about["licence"] == "CC0-1.0" and detector.size == 32


def test_int8_is_int8_throughout(models):
    model = fb.read(models["int8"].read_bytes())
    names = [fb.name_of(model, op) for _, op in fb.operators(model)]
    assert names.count("ELU") == 6 and names.count("DEQUANTIZE") == 1 and names.count("QUANTIZE") == 1
    assert models["int8"].stat().st_size < 0.4 * models["fp32"].stat().st_size
    graph = model.subgraphs[0]
    (scale,) = graph.tensors[graph.inputs[0]].quantization.scale
    assert scale == pytest.approx(1, abs=1e-6)  # bytes are taken as they are


@pytest.mark.parametrize("box", [(70, 40, 100, 100), (-20, 90, 70, 50), (200, 150, 80, 90)])
@pytest.mark.parametrize(("crop", "border"), [(None, 0.25), ({}, 0.1), ({"crop": "none"}, 0)])
def test_landmarks_in_a_picture_are_those_of_a_face_that_is_cut_by_hand(models, box, crop, border):
    detector = LandmarkDetector(models["fp32"])
    assert detector.provenance.crop == HAAR  # as its training said
    if crop is not None:
        detector.provenance = Provenance("pts", "1", crop)
    picture = drawn_photo(37)[:220]
    x, y, width, height = box
    side = max(width, height) * (1 + 2 * border)
    to_face = square_to_face(x + width / 2 - side / 2, y + height / 2 - side / 2, side, 32)
    by_hand = moved(detector.landmarks(cut(picture, to_face, 32)[None])[0], inverse(to_face))
    assert detector.landmarks_in(picture, box) == pytest.approx(by_hand, abs=0.01 * side)


def test_a_picture_that_cannot_be_looked_at_is_refused(models):
    detector, picture = LandmarkDetector(models["fp32"]), drawn_photo(37)
    with pytest.raises(UsageError, match=r"lies outside of a picture of 256 x 256 pixels"):
        detector.landmarks_in(picture, (400, 10, 50, 50))
    with pytest.raises(UsageError, match=r"a picture float32 \(256, 256, 3\) is not uint8 \[H, W, 3\]"):
        detector.landmarks_in(picture.astype(np.float32), (10, 10, 50, 50))
    detector.provenance = Provenance("pts", "1", {"crop": "landmarks"})
    with pytest.raises(LmedgeError, match="turned and moved by their landmarks, which a box does not tell"):
        detector.landmarks_in(picture, (10, 10, 50, 50))


def test_a_wrong_call_is_refused(models, bundle, network, faces):
    detector = LandmarkDetector(models["fp32"])
    with pytest.raises(UsageError, match=r"faces uint8 \(1, 64, 64, 3\) are not uint8 \[N, 32, 32, 3\]"):
        detector.landmarks(np.zeros((1, 64, 64, 3), np.uint8))
    with pytest.raises(UsageError, match="float32"):
        detector.landmarks(np.zeros((1, 32, 32, 3), np.float32))
    assert detector.landmarks(np.zeros((0, 32, 32, 3), np.uint8)).shape == (0, 49, 2)
    with pytest.raises(LmedgeError, match="has no signature 'detect'"):
        LandmarkDetector(bundle / "faces-fp32.tflite")
    with pytest.raises(UsageError, match="add --overwrite"):
        export_detector(network, faces, faces, models["fp32"].parent, {})
