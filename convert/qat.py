"""Quantisation-aware fine-tuning: networks learn to draw the same with int8 weights and activations.

The float networks are the teachers; latents come from the prior, so no photo is needed. Both are rebuilt in
tf_keras, which is what tensorflow-model-optimization works on. It simulates int8 in the forward pass and passes
gradients through the rounding (Jacob et al., arXiv 1712.05877). The ranges of the activations are those that
post-training quantisation found; learning them too made nothing better.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tf_keras
from numpy.typing import NDArray

from convert.fold import PhasesToPixels, phases_to_pixels
from convert.ranges import Ends, ranges_before
from convert.recipe import Tuning
from lmedge.errors import LmedgeError
from lmedge.quiet import native_stderr_off

with native_stderr_off():
    from tensorflow_model_optimization.quantization.keras import QuantizeConfig, QuantizeWrapperV2, quantizers

BITS = 8


class _Range(quantizers.Quantizer):
    """Quantises activations between two fixed ends."""

    def __init__(self, low: float, high: float):
        self.low, self.high = low, high

    def build(self, tensor_shape: Any, name: str, layer: Any) -> dict[str, Any]:
        return {}

    def __call__(self, inputs: Any, training: bool, weights: dict[str, Any], **kwargs: Any) -> Any:
        return tf.quantization.fake_quant_with_min_max_args(inputs, self.low, self.high, BITS)

    def get_config(self) -> dict[str, Any]:
        return {"low": self.low, "high": self.high}


class _Config(QuantizeConfig):
    """What is quantised of a layer: its kernel, if it has one, and its output, if `output` says how."""

    def __init__(self, output: _Range | None):
        self.output = output

    def get_weights_and_quantizers(self, layer: Any) -> list[Any]:
        if not hasattr(layer, "kernel"):
            return []
        # A scale for each output channel: the last axis, but of a transposed convolution the last but one.
        per_axis = not isinstance(layer, tf_keras.layers.Conv2DTranspose)
        return [(layer.kernel, quantizers.LastValueQuantizer(BITS, per_axis, symmetric=True, narrow_range=True))]

    def set_quantize_weights(self, layer: Any, quantize_weights: list[Any]) -> None:
        if quantize_weights:
            layer.kernel = quantize_weights[0]

    def get_activations_and_quantizers(self, layer: Any) -> list[Any]:
        return []

    def set_quantize_activations(self, layer: Any, quantize_activations: list[Any]) -> None:
        pass

    def get_output_quantizers(self, layer: Any) -> list[Any]:
        return [self.output] if self.output else []

    def get_config(self) -> dict[str, Any]:
        return {"output": self.output}


class _Pixels(tf_keras.layers.Layer):
    def call(self, x: Any) -> Any:
        return phases_to_pixels(x)


@dataclass
class _Step:
    """A layer of the twin, the weights that it gets, and whether its output has a range of its own."""

    layer: Any
    weights: list[NDArray[np.float32]]
    ranged: bool


def twin(network: Any, ranges: list[Ends], image: bool) -> Any:
    """The network in tf_keras with simulated int8: z `[B, Z]` -> what `network` gives, but an `image` in levels
    0..255. `ranges`: of the outputs of its weighted layers, in order; an activation has that of its layer.

    Raises LmedgeError for a network that is not a chain of layers that int8 has.
    """
    steps = list(_chain(network))
    if image:
        _to_levels(steps, network.name)
    inputs = tf_keras.Input(network.input_shape[1:])
    x = _wrapped(tf_keras.layers.Activation("linear"), _Range(-1.0, 1.0))(inputs)
    probe = value = tf.random.stateless_uniform((4, *network.input_shape[1:]), (0, 0), -1.0, 1.0)
    spans, span = iter(ranges), None
    if sum(bool(step.weights) for step in steps) != len(ranges):
        raise LmedgeError(
            f"int8-qat cannot be made: {network.name} became another number of layers in TFLite; leave int8-qat out "
            "of --variants."
        )
    for step in steps:
        step.layer.build(value.shape)
        step.layer.set_weights(step.weights)
        value = step.layer(value)
        if step.weights:
            span = _Range(*next(spans))
        x = _wrapped(step.layer, span if step.ranged else None)(x)
    wanted = np.asarray(network(probe, training=False)) * (127.5 if image else 1.0) + (127.5 if image else 0.0)
    if value.shape != wanted.shape or np.abs(value - wanted).max() > 1e-3 * np.abs(wanted).max():
        raise LmedgeError(
            f"int8-qat cannot be made: {network.name} is not a chain of layers; leave int8-qat out of --variants."
        )
    return tf_keras.Model(inputs, x, name=network.name)


def _wrapped(layer: Any, span: _Range | None) -> Any:
    return QuantizeWrapperV2(layer, _Config(span))


def _chain(network: Any) -> Iterator[_Step]:
    """The layers of a Keras network in tf_keras, activations as layers of their own: int8 has a range before and
    after each."""
    layers = tf_keras.layers
    for layer in network.layers:
        kind = type(layer).__name__
        made, ranged = None, True
        if kind == "Dense":
            made = layers.Dense(layer.units, use_bias=layer.use_bias)
        elif kind in ("Conv2D", "Conv2DTranspose"):
            made = getattr(layers, kind)(layer.filters, layer.kernel_size, layer.strides, layer.padding,
                                         use_bias=layer.use_bias)  # fmt: skip
        elif kind == "Reshape":
            made, ranged = layers.Reshape(layer.target_shape), False
        elif kind == "ZeroPadding2D":
            made, ranged = layers.ZeroPadding2D(layer.padding), False
        elif kind == "UpSampling2D" and layer.interpolation == "nearest":
            made, ranged = layers.UpSampling2D(layer.size), False
        elif isinstance(layer, PhasesToPixels):
            made, ranged = _Pixels(), False
        elif kind not in ("InputLayer", "Dropout", "Identity", "Activation", "ELU", "ReLU"):
            raise LmedgeError(
                f"int8-qat cannot be made: layer {layer.name!r} of {network.name} is a {kind}, which it does not "
                "know; leave int8-qat out of --variants."
            )
        if made is not None:
            yield _Step(made, layer.get_weights(), ranged)
        activation = {"ELU": "elu", "ReLU": "relu"}.get(kind) or _activation(layer)
        if activation in ("elu", "relu"):
            yield _Step(layers.ELU() if activation == "elu" else layers.ReLU(), [], True)
        elif activation != "linear":
            raise LmedgeError(
                f"int8-qat cannot be made: layer {layer.name!r} of {network.name} has the activation {activation}; "
                "take elu or relu, or leave int8-qat out of --variants."
            )


def _activation(layer: Any) -> str:
    return getattr(getattr(layer, "activation", None), "__name__", "linear")


def _to_levels(steps: list[_Step], name: str) -> None:
    """Puts -1..1 -> 0..255 into the last convolution, whose int8 output then is the image."""
    last = steps[-1]
    if not last.weights or not getattr(last.layer, "use_bias", False):
        raise LmedgeError(
            f"int8-qat cannot be made: {name} does not end in a convolution with a bias and without activation; "
            "leave int8-qat out of --variants."
        )
    kernel, bias = last.weights
    last.weights = [kernel * np.float32(127.5), bias * np.float32(127.5) + np.float32(127.5)]


def tune(
    generator: Any, lgen: Any, calibrated: Any, tuning: Tuning, tell: Callable[[str], None]
) -> tuple[Any, Any, dict[str, Any]]:
    """Copies of both networks with fine-tuned weights, and what was done, for bundle.json. `calibrated`: their
    float TFLite model with the ranges that post-training quantisation found. `tell` is told the progress. Raises
    LmedgeError as `twin` does."""
    tf_keras.utils.set_random_seed(tuning.seed)
    drawing = twin(generator, ranges_before(calibrated, "image"), image=True)
    marking = twin(lgen, ranges_before(calibrated, "landmarks"), image=False)

    def levels(z: Any) -> Any:
        return tf.clip_by_value(generator(z, training=False) * 127.5 + 127.5, 0.0, 255.0)

    latent = generator.input_shape[-1]
    losses = {
        "image": _fit(drawing, levels, latent, tuning, lambda text: tell(f"image {text}")),
        "landmarks": _fit(marking, lgen, latent, tuning, lambda text: tell(f"landmarks {text}")),
    }
    *weights, kernel, bias = [weight.numpy() for weight in drawing.trainable_weights]
    tuned = [*weights, kernel / np.float32(127.5), (bias - np.float32(127.5)) / np.float32(127.5)]
    note = {"tuning": {"steps": tuning.steps, "batch": tuning.batch, "loss": losses}}
    return _copy(generator, tuned), _copy(lgen, [weight.numpy() for weight in marking.trainable_weights]), note


def _copy(network: Any, weights: list[NDArray[np.float32]]) -> Any:
    def cloned(layer: Any) -> Any:
        return type(layer).from_config(layer.get_config()) if layer.weights else layer

    copy = keras.models.clone_model(network, clone_function=cloned)
    copy.set_weights(weights)
    return copy


def _fit(
    student: Any, teacher: Callable[[Any], Any], latent: int, tuning: Tuning, tell: Callable[[str], None]
) -> list[float]:
    """Trains the student on the teacher's output for fresh latents; root mean square errors at start and end."""
    schedule = tf_keras.optimizers.schedules.CosineDecay(tuning.learning_rate, tuning.steps)
    optimizer = tf_keras.optimizers.Adam(schedule)
    random = tf.random.Generator.from_seed(tuning.seed)

    @tf.function
    def step() -> Any:
        z = random.uniform((tuning.batch, latent), -1.0, 1.0)
        wanted = teacher(z)
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(student(z, training=True) - wanted))
        weights = student.trainable_weights
        optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
        return loss

    recent: list[float] = []
    first = 0.0
    for number in range(tuning.steps):
        recent.append(float(step()))
        if number == min(9, tuning.steps - 1):
            first = float(np.mean(recent))
        del recent[:-50]
        if number % 10 == 9:
            tell(f"step {number + 1} of {tuning.steps}, error {np.mean(recent) ** 0.5:.3g}")
    return [float(f"{value**0.5:.3g}") for value in (first, float(np.mean(recent)))]
