"""A landmark detector (lmedge.detector) as TFLite: a face goes in as bytes, landmarks come out."""

import json
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from convert import flatbuffer as fb
from convert import rewrites as graph
from convert.gates import Limits, check_contents, read_contents
from convert.metadata import put
from convert.model import run_converter
from convert.recipe import RECIPES
from convert.static import centred
from lmedge import __version__
from lmedge.detector.diet import LabelledFaces
from lmedge.detector.figures import Measured, measured
from lmedge.detector.network import build_detector, detect
from lmedge.errors import LmedgeError
from lmedge.folders import making_folder
from lmedge.landmarks import nme, normalised
from lmedge.quiet import native_stderr_off
from lmedge.runtime.bundle import landmarks_form
from lmedge.runtime.detector import DETECT, DETECTOR_FILE, DETECTOR_SCHEMA
from lmedge.runtime.model_file import ABOUT
from lmedge.storage import write_bytes, write_json

KIND = "a detector"  # of a folder
CALIBRATION = 200  # faces that set the ranges of int8
MOST_APART = Limits().landmark_error or 0.0  # NME of a model from Keras
DETECTOR_FILES = ("detector-*.tflite", DETECTOR_FILE)


def export_detector(
    network: Any, faces: LabelledFaces, test: LabelledFaces, out: Path, facts: dict[str, Any], overwrite: bool = False
) -> list[Measured]:
    """As `write_detector`, into a folder `out` of its own. Raises UsageError for one that is taken."""
    with making_folder(out, KIND, overwrite, adopt=DETECTOR_FILES) as beside:
        models = write_detector(network, faces, test, beside, facts)
    return [replace(model, file=out / model.file.name) for model in models]


def write_detector(
    network: Any, faces: LabelledFaces, test: LabelledFaces, out: Path, facts: dict[str, Any]
) -> list[Measured]:
    """Writes detector-fp32.tflite and detector-int8.tflite of a trained detector, and detector.json, which says what
    they are, into the folder `out`; returns them as measured on the faces of `test`. `faces` set the ranges of int8;
    `facts` (provenance, what it learnt from) go into metadata and JSON.

    Both have the signature `detect`: `image` uint8 `[1, size, size, 3]` RGB -> `landmarks` float32 `[1, K, 2]`,
    normalised. Raises LmedgeError where the converter refuses, and for a model that lost weights, needs a newer
    runtime, or finds other landmarks than Keras.
    """
    size = network.input_shape[1]
    plain = of_bytes(network)
    mean = normalised(faces.landmarks, size, size).mean(axis=0)
    probe = faces.images[:8].astype(np.float32)
    # Deviations are a fifth as wide as landmarks, and so are the steps of their int8.
    deviations, mean_face = centred(plain, mean, probe)
    about = {"kind": "detector", "lmedge": __version__, "landmarks": landmarks_form(faces.scheme), **facts}
    wanted, models, variants = detect(network, test.images), [], {}
    for name, model in (
        ("fp32", fb.read(_converted(plain, None))),
        ("int8", _int8(deviations, mean_face, faces.images)),
    ):
        graph.drop_unused(model)
        put(model, ABOUT, json.dumps({**about, "variant": name}, separators=(",", ":")).encode())
        data = fb.write(model)
        check_contents(read_contents(data), RECIPES[name], network.count_params(), Limits())
        file = out / f"detector-{name}.tflite"
        write_bytes(file, data)
        found = measured(file, test)
        apart = float(nme(found.points, wanted, test.scheme).mean())
        if not apart <= MOST_APART:
            raise LmedgeError(f"detector-{name}: landmarks are NME {apart:.2%} from those of Keras, and at most "
                              f"{MOST_APART:.0%} is good; train it longer.")  # fmt: skip
        models.append(found)
        variants[name] = {"file": file.name, "bytes": found.bytes, "nme": found.nme, "ms": found.ms,
                          "nme_from_keras": apart}  # fmt: skip
    write_json(out / DETECTOR_FILE, {"schema": DETECTOR_SCHEMA, **about, "size": size, "test_faces": len(test),
                                     "variants": variants})  # fmt: skip
    return models


def of_bytes(network: Any) -> Any:
    """The same network without the layer that scales 0..255 to -1..1: the first convolution, which pads nothing, takes
    it into its weights."""
    size, points = network.input_shape[1], network.output_shape[1]
    whole = build_detector(size, points)
    whole.set_weights(network.get_weights())
    patches = whole.get_layer("patches")
    kernel, bias = patches.get_weights()
    patches.set_weights([kernel / 127.5, bias - kernel.sum(axis=(0, 1, 2))])
    x = image = keras.Input((size, size, 3), name="image")
    for layer in whole.layers[2:]:
        x = layer(x)
    return keras.Model(image, x, name="detector")


def _int8(network: Any, mean_face: NDArray[np.float32] | None, images: NDArray[np.uint8]) -> Any:
    model = fb.read(_converted(network, images))
    graph.int8_elu(model)
    if mean_face is not None:
        graph.add_mean_face(model, mean_face, DETECT)
    return model


def _converted(network: Any, images: NDArray[np.uint8] | None) -> bytes:
    """In float, or in int8 with the ranges that `images` have."""
    whole = images is None

    def endpoint(image: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"landmarks": network(tf.cast(image, tf.float32) if whole else image, training=False)}

    kind = tf.uint8 if whole else tf.float32
    spec = tf.TensorSpec((1, *network.input_shape[1:]), kind, name="image")
    with tempfile.TemporaryDirectory() as folder, native_stderr_off():
        archive = keras.export.ExportArchive()
        archive.track(network)
        archive.add_endpoint(DETECT, endpoint, input_signature=[spec])
        archive.write_out(folder, verbose=False)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=[DETECT])
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        if images is not None:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.representative_dataset = lambda: _faces(images)
            converter.inference_input_type, converter.inference_output_type = tf.uint8, tf.float32
        return run_converter(converter)


def _faces(images: NDArray[np.uint8]) -> Iterator[tuple[str, dict[str, NDArray[np.float32]]]]:
    ends = np.zeros((1, *images.shape[1:]), np.uint8)
    ends[0, 0] = 255  # every level stands for itself: scale 1
    chosen = images[np.unique(np.linspace(0, len(images) - 1, CALIBRATION).round().astype(int))]
    for image in np.concatenate([ends, chosen]):
        yield DETECT, {"image": image[None].astype(np.float32)}
