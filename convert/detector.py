"""A landmark detector (lmedge.detector) as TFLite: a face goes in as bytes, landmarks come out."""

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from convert import flatbuffer as fb
from convert import rewrites as graph
from convert.metadata import put
from convert.model import centred, run_converter
from lmedge import __version__
from lmedge.detector.network import LabelledFaces, build_detector
from lmedge.folders import making_folder
from lmedge.landmarks import normalised
from lmedge.quiet import native_stderr_off
from lmedge.runtime.bundle import landmarks_form
from lmedge.runtime.detector import DETECT
from lmedge.runtime.model_file import ABOUT
from lmedge.storage import write_bytes

CALIBRATION = 200  # faces that set the ranges of int8


def export_detector(
    network: Any, faces: LabelledFaces, out: Path, facts: dict[str, Any], overwrite: bool = False
) -> dict[str, Path]:
    """Writes detector-fp32.tflite and detector-int8.tflite of a trained detector into the folder `out`; returns them by
    name. `faces` set the ranges of int8; `facts` (licence, figures) go into the metadata.

    Both have the signature `detect`: `image` uint8 `[1, size, size, 3]` RGB -> `landmarks` float32 `[1, K, 2]`,
    normalised. Raises UsageError for a folder that is taken, LmedgeError where the converter refuses.
    """
    size = network.input_shape[1]
    plain = of_bytes(network)
    mean = normalised(faces.landmarks, size, size).mean(axis=0)
    probe = faces.images[:8].astype(np.float32)
    # Deviations are a fifth as wide as landmarks, and so are the steps of their int8.
    deviations, mean_face = centred(plain, mean, probe)
    about = {"kind": "detector", "lmedge": __version__, "landmarks": landmarks_form(faces.scheme), **facts}
    with making_folder(out, "a detector", overwrite, adopt=("detector-*.tflite",)) as beside:
        for name, model in (
            ("fp32", fb.read(_converted(plain, None))),
            ("int8", _int8(deviations, mean_face, faces.images)),
        ):
            graph.drop_unused(model)
            put(model, ABOUT, json.dumps({**about, "variant": name}, separators=(",", ":")).encode())
            write_bytes(beside / f"detector-{name}.tflite", fb.write(model))
    return {name: out / f"detector-{name}.tflite" for name in ("fp32", "int8")}


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

    def detect(image: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"landmarks": network(tf.cast(image, tf.float32) if whole else image, training=False)}

    kind = tf.uint8 if whole else tf.float32
    spec = tf.TensorSpec((1, *network.input_shape[1:]), kind, name="image")
    with tempfile.TemporaryDirectory() as folder, native_stderr_off():
        archive = keras.export.ExportArchive()
        archive.track(network)
        archive.add_endpoint(DETECT, detect, input_signature=[spec])
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
