"""Turning the generator and L-Gen into one .tflite file a variant."""

import dataclasses
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray
from tensorflow.lite.python.convert import mlir_quantize

from convert import flatbuffer as fb
from convert import rewrites as graph
from convert.equalise import equalised
from convert.fold import fold_upsampling
from convert.levels import in_levels, rescaled
from convert.ranges import copy_ranges, fit_ranges, measured, set_image_range, share_ranges
from convert.recipe import RECIPES, Recipe, Rewrites, Tuning
from convert.repeated import repeat_for
from convert.rounding import rounded
from convert.scales import without_scales
from convert.static import Static, centred
from lmedge.errors import LmedgeError
from lmedge.keras_model import KerasFaceModel
from lmedge.landmarks import in_pixels
from lmedge.quiet import native_stderr_off
from lmedge.runtime import Faces
from lmedge.runtime.bundle import SIGNATURE

PROBED = 8  # latents on which networks are held against copies
FITTED = 160  # faces on which ranges are tried, or half of those that there are; each trial costs their drawing


@contextmanager
def saved(
    generator: Any, lgen: Any, confidences: Mapping[str, Any] = MappingProxyType({}), whole: bool = False
) -> Iterator[str]:
    """A SavedModel of the networks with the signature `sample`, in a folder that goes away: z `[1, Z]` -> image
    `[1, H, W, 3]`, normalised landmarks `[1, K, 2]` and what each network of `confidences` gives, by its name. The
    image is float 0..255 as `generator` gives it, or `whole` uint8."""

    def sample(z: tf.Tensor) -> dict[str, tf.Tensor]:
        image = generator(z, training=False)
        if whole:
            image = tf.cast(tf.round(tf.clip_by_value(image, 0.0, 255.0)), tf.uint8)
        sure = {name: network(z, training=False) for name, network in confidences.items()}
        return {"image": image, "landmarks": lgen(z, training=False), **sure}

    # A fixed batch of one: a None batch fails in the converter.
    spec = tf.TensorSpec((1, generator.input_shape[-1]), tf.float32, name="z")
    with tempfile.TemporaryDirectory() as folder, native_stderr_off():
        archive = keras.export.ExportArchive()
        for network in (generator, lgen, *confidences.values()):
            archive.track(network)
        archive.add_endpoint(SIGNATURE, sample, input_signature=[spec])
        archive.write_out(folder, verbose=False)
        yield folder


@dataclass(frozen=True)
class Conversion:
    """Keras networks on their way to TFLite, and what their variants share.

    `calibration`: latents that set the ranges of int8, with what the float networks make of them. `tell` is told how
    far the long parts are.
    """

    model: KerasFaceModel
    calibration: Faces
    rewrites: Rewrites
    tuning: Tuning
    tell: Callable[[str], None]
    _static: dict[bool, tuple[Static, Any]] = field(default_factory=dict)

    @cached_property
    def drawing(self) -> Any:
        """The generator without factors beside its weights."""
        return without_scales(self.model.generator.network)

    @cached_property
    def folded(self) -> Any:
        """The generator without upsampling, its image in levels 0..255."""
        return in_levels(fold_upsampling(self.drawing, self.rewrites.fold))

    @cached_property
    def even(self) -> Any:
        """The same, with channels about as wide as each other: for int8, which has one scale for all of them."""
        even = equalised(self.drawing, self.calibration.latents)
        return in_levels(fold_upsampling(even, self.rewrites.fold))

    @cached_property
    def centred(self) -> tuple[Any, NDArray[np.float32] | None]:
        """L-Gen that gives the deviation from the mean face, and that face; L-Gen itself and None where it does not
        end in a dense layer with a bias. The deviations are a fifth as wide as the landmarks, and so are the
        steps of their int8."""
        z = self.calibration.latents
        return centred(self.model.lgen, np.asarray(self.model.lgen(z, training=False)).mean(axis=0), z[:PROBED])

    def variant(self, recipe: Recipe) -> tuple[Any, dict[str, Any]]:
        """The model as the objects of convert.flatbuffer, and what bundle.json says of its making. Raises
        LmedgeError where the converter cannot express the networks."""
        if not recipe.static:
            with saved(self.folded, self.model.lgen, self.model.confidences) as folder:
                return _finished(run_converter(_converter(folder, recipe)), recipe, self.rewrites), {}
        static, found = self.static(recipe.integer_io)
        model = found
        note: dict[str, Any] = {}
        if recipe.tuned:
            from convert.qat import tune  # loads tensorflow-model-optimization, for this variant only

            drawing, marking, note = tune(static, self.model.latent, found, self.tuning, self.tell)
            model = self._extremes(dataclasses.replace(static, generator=drawing, lgen=marking))
            copy_ranges(found, model)
        return _finished(_quantised(model, recipe), recipe, self.rewrites, static), note

    def static(self, integer_io: bool = False) -> tuple[Static, Any]:
        """The networks as they are quantised, and the float model of them with the ranges that its activations get in
        int8."""
        if integer_io not in self._static:
            networks = self._networks(integer_io)
            self._static[integer_io] = networks, self._calibrated(networks)
        return self._static[integer_io]

    def _networks(self, integer_io: bool) -> Static:
        # A microcontroller has no float: it gets the landmarks themselves, and latents as they are.
        lgen, mean = (self.model.lgen, None) if integer_io else self.centred
        networks, repeat, z = [self.even, lgen, *self.model.confidences.values()], None, self.calibration.latents
        if self.rewrites.repeat_latents and not integer_io:
            repeat = repeat_for(networks, self.model.latent, z)
        if repeat is not None:
            networks, z = [repeat.reading(network) for network in networks], np.asarray(repeat(z))
        if self.rewrites.round_weights:
            networks = [rounded(network, z, self.tell) for network in networks]
        drawing, marking, *sure = networks
        confidences = dict(zip(self.model.confidences, sure, strict=True))
        return Static(drawing, marking, confidences, (self.even, lgen), mean, repeat)

    def _extremes(self, static: Static) -> Any:
        """The float model with the extremes of its activations."""
        with saved(static.generator, static.lgen, static.confidences) as folder:
            model = run_converter(_converter(folder, RECIPES["fp32"]))
        return measured(model, np.asarray(static.reads(self.calibration.latents)))

    def _calibrated(self, static: Static) -> Any:
        recipe = RECIPES["int8"]
        model = self._extremes(static)
        set_image_range(model)
        if self.rewrites.fit_ranges:
            share_ranges(model)
            few = self.calibration[: max(FITTED, len(self.calibration) // 2)]
            plain = dataclasses.replace(self.rewrites, signatures=False)

            def error(candidate: Any) -> float:
                return _error(fb.write(_finished(_quantised(candidate, recipe), recipe, plain, static)), few)

            fit_ranges(model, error, self.tell)
        return model


def _quantised(model: Any, recipe: Recipe) -> bytes:
    """A calibrated model in int8."""
    kind = tf.int8 if recipe.integer_io else tf.float32
    with native_stderr_off():
        return mlir_quantize(fb.write(model), input_data_type=kind, output_data_type=kind)


def _finished(model: bytes, recipe: Recipe, rewrites: Rewrites, static: Static | None = None) -> Any:
    """The converted model with the rewrites that its variant gets. `static`: what it was quantised from."""
    root = fb.read(model)
    if rewrites.int8_elu and recipe.static:
        graph.join_in_int8(root)
        graph.int8_elu(root)
    if not recipe.integer_io:
        graph.quantize_image(root)
    if static is not None and static.repeat is not None:
        graph.repeat_input(root, static.repeat)
    if static is not None and static.mean is not None:
        graph.add_mean_face(root, static.mean)
    if rewrites.signatures:
        graph.add_signatures(root)
    graph.drop_unused(root)
    return root


def _error(model: bytes, wanted: Faces) -> float:
    """Root mean square error of the image (levels) times that of the landmarks (pixels): a range moves one of
    the two, and the product weighs neither."""
    with native_stderr_off():
        interpreter = Interpreter(model_content=model, num_threads=1)
        interpreter.allocate_tensors()
    run = interpreter.get_signature_runner(SIGNATURE)
    squares = np.zeros(2)
    for z, image, landmarks in zip(wanted.latents, wanted.images, wanted.landmarks, strict=True):
        outputs = run(z=z[None])
        height, width, _ = image.shape
        drawn = outputs["image"][0].astype(np.float32)
        points = in_pixels(outputs["landmarks"], width, height)[0]
        squares += ((drawn - image) ** 2).mean(), ((points - landmarks) ** 2).mean()
    return float(np.sqrt(squares.prod()) / len(wanted))


def stock(generator: Any, lgen: Any, variant: str, calibration: NDArray[np.float32]) -> bytes:
    """What TFLiteConverter makes of the same networks by itself: the measure of everything above.

    `variant`: fp32, fp16, dynamic or int8.
    """
    with saved(rescaled(generator), lgen, whole=True) as folder:
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=[SIGNATURE])
        if variant != "fp32":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if variant == "fp16":
            converter.target_spec.supported_types = [tf.float16]
        if variant == "int8":
            converter.representative_dataset = _representative(calibration)
        return run_converter(converter)


def _converter(folder: str, recipe: Recipe) -> Any:
    converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=[SIGNATURE])
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    if recipe.weights != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if recipe.weights == "float16":
        converter.target_spec.supported_types = [tf.float16]
    # Weights of a dense layer with a scale each need FULLY_CONNECTED 12, which is TensorFlow 2.17's.
    converter._experimental_disable_per_channel_quantization_for_dense_layers = not recipe.static
    return converter


def _representative(calibration: NDArray[np.float32]) -> Callable[[], Iterator[Any]]:
    return lambda: ((SIGNATURE, {"z": z[None]}) for z in calibration)


def run_converter(converter: Any) -> bytes:
    """What the converter makes, without its pages of messages. Raises LmedgeError with its reason."""
    try:
        with native_stderr_off():
            return converter.convert()
    except Exception as error:  # the converter raises its own and TensorFlow's errors
        lines = [line for line in str(error).splitlines() if "error:" in line or "op" in line]
        reason = (lines or [type(error).__name__])[0].strip()[:200]
        raise LmedgeError(
            f"the networks cannot be converted to TFLite ({reason}); build them without that op."
        ) from error
