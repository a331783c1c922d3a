"""Turning the generator and L-Gen into one .tflite file a variant."""

import tempfile
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from lmedge.errors import LmedgeError, UsageError
from lmedge.quiet import native_stderr_off
from lmedge.runtime.bundle import SIGNATURE


def face_function(generator: Any, lgen: Any) -> Callable[[tf.Tensor], dict[str, tf.Tensor]]:
    """z `[1, Z]` -> image uint8 `[1, H, W, 3]` and normalised landmarks `[1, K, 2]`."""

    def sample(z: tf.Tensor) -> dict[str, tf.Tensor]:
        # -1..1 to 0..255. The converter merges the factor into the last convolution; rounding comes after
        # the int8 part of a quantised model.
        image = generator(z, training=False) * 127.5 + 127.5
        image = tf.cast(tf.round(tf.clip_by_value(image, 0.0, 255.0)), tf.uint8)
        return {"image": image, "landmarks": lgen(z, training=False)}

    return sample


def convert(generator: Any, lgen: Any, variant: str, calibration: NDArray[np.float32]) -> bytes:
    """The combined model of one variant as the bytes of a .tflite file.

    `calibration` `[N, Z]`: latents that set the ranges of int8. Raises UsageError for an unknown variant,
    LmedgeError when the converter cannot express the networks.
    """
    latent = generator.input_shape[-1]
    with tempfile.TemporaryDirectory() as folder, native_stderr_off():
        archive = keras.export.ExportArchive()
        archive.track(generator)
        archive.track(lgen)
        # A fixed batch of one: a None batch fails in the converter.
        spec = tf.TensorSpec((1, latent), tf.float32, name="z")
        archive.add_endpoint(SIGNATURE, face_function(generator, lgen), input_signature=[spec])
        archive.write_out(folder, verbose=False)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=[SIGNATURE])
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        if variant == "int8":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.representative_dataset = lambda: ((SIGNATURE, {"z": z[None]}) for z in calibration)
        elif variant != "fp32":
            raise UsageError(f"--variants {variant}: unknown; take fp32 or int8.")
        try:
            return converter.convert()
        except Exception as error:  # the converter raises its own and TensorFlow's errors
            lines = [line for line in str(error).splitlines() if "error:" in line or "op" in line]
            reason = (lines or [type(error).__name__])[0].strip()[:200]
            raise LmedgeError(f"the networks cannot be converted to TFLite ({reason}).") from error
