"""Quantisation-aware fine-tuning: networks learn to draw the same with int8 weights and activations.

The float networks are the teachers; latents are drawn, so no photo is needed. Both are rebuilt in
tf_keras, which is what tensorflow-model-optimization works on. It simulates int8 in the forward pass and passes
gradients through the rounding (Jacob et al., arXiv 1712.05877). The ranges of the activations are those that
post-training quantisation found; learning them too made nothing better.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import keras
import numpy as np
import tensorflow as tf
import tf_keras
from numpy.typing import NDArray

from convert.fold import PhasesToPixels, Repeated, phases_to_pixels, repeated, wiring
from convert.ranges import Ends, ranges_before
from convert.recipe import Tuning
from lmedge.errors import LmedgeError
from lmedge.gan.quantiles import latents_of
from lmedge.latent import LatentSpec
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


class _Repeated(tf_keras.layers.Layer):
    def call(self, x: Any) -> Any:
        return repeated(x)


@dataclass
class _Step:
    """A layer of the twin and the weights that it gets. Its output has a `new` range, the `same` as what it reads had
    before (an activation), or `none`, where it only moves values."""

    layer: Any
    weights: list[NDArray[np.float32]]
    range: Literal["new", "same", "none"]


def twin(network: Any, latent: LatentSpec, ranges: list[Ends], image: bool) -> Any:
    """The network in tf_keras with simulated int8: z `[B, Z]` of `latent` -> what `network` gives, but an `image` in
    levels 0..255. `ranges`: of the outputs of its layers with weights, in order; an activation has that of its layer.

    Raises LmedgeError for a network with layers that int8 does not have.
    """
    steps = {layer.name: list(_steps(layer, network.name)) for layer in network.layers}
    every = [step for each in steps.values() for step in each]
    if image:
        _to_levels(every[-1], network.name)
    if sum(step.range == "new" for step in every) != len(ranges):
        raise LmedgeError(
            f"int8-qat cannot be made: {network.name} became another number of layers in TFLite; leave int8-qat out "
            "of --variants."
        )
    z, span = tf_keras.Input(network.input_shape[1:]), _Range(float(latent.low.min()), float(latent.high.max()))
    probe = latents_of(latent, tf.random.stateless_uniform((4, latent.size), (0, 0)))
    # What each layer gives: in the twin, for the probe, and its range. "" is the input.
    given: dict[str, tuple[Any, Any, _Range]] = {
        "": (_wrapped(tf_keras.layers.Activation("linear"), span)(z), probe, span)
    }
    spans = iter(ranges)
    for name, calls in wiring(network).items():
        if len(calls) > 1:
            raise LmedgeError(
                f"int8-qat cannot be made: layer {name!r} of {network.name} is called more than once; leave int8-qat "
                "out of --variants."
            )
        read = [given[source] for source in calls[0]]
        x, value, span = read[0]
        if len(read) > 1:  # joined: they have one range
            x, value = [one[0] for one in read], [one[1] for one in read]
        for step in steps[name]:
            if step.weights:
                step.layer.build(value.shape)
                step.layer.set_weights(step.weights)
            value = step.layer(value)
            if step.range == "new":
                span = _Range(*next(spans))
            x = _wrapped(step.layer, None if step.range == "none" else span)(x)
        given[name] = x, value, span
    x, value, _ = given[network.layers[-1].name]
    wanted = np.asarray(network(probe, training=False)) * (127.5 if image else 1.0) + (127.5 if image else 0.0)
    if value.shape != wanted.shape or np.abs(value - wanted).max() > 1e-3 * np.abs(wanted).max():
        raise LmedgeError(
            f"int8-qat cannot be made: {network.name} computes something else in tf_keras; leave int8-qat out of "
            "--variants."
        )
    return tf_keras.Model(z, x, name=network.name)


def _wrapped(layer: Any, span: _Range | None) -> Any:
    return QuantizeWrapperV2(layer, _Config(span))


def _steps(layer: Any, network: str) -> Iterator[_Step]:
    """A layer of a Keras network in tf_keras, its activation as a layer of its own: int8 has a range before and after
    it."""
    layers = tf_keras.layers
    kind = type(layer).__name__
    weights = layer.get_weights()
    if kind == "Dense":
        yield _Step(layers.Dense(layer.units, use_bias=layer.use_bias), weights, "new")
    elif kind in ("Conv2D", "Conv2DTranspose"):
        made = getattr(layers, kind)(layer.filters, layer.kernel_size, layer.strides, layer.padding,
                                     use_bias=layer.use_bias)  # fmt: skip
        yield _Step(made, weights, "new")
    elif kind == "Concatenate":
        yield _Step(layers.Concatenate(layer.axis), [], "none")
    elif kind == "Reshape":
        yield _Step(layers.Reshape(layer.target_shape), [], "none")
    elif kind == "ZeroPadding2D":
        yield _Step(layers.ZeroPadding2D(layer.padding), [], "none")
    elif kind == "UpSampling2D" and layer.interpolation == "nearest":
        yield _Step(layers.UpSampling2D(layer.size), [], "none")
    elif isinstance(layer, PhasesToPixels):
        yield _Step(_Pixels(), [], "none")
    elif isinstance(layer, Repeated):
        yield _Step(_Repeated(), [], "none")
    elif kind not in ("InputLayer", "Dropout", "Identity", "Activation", "ELU", "ReLU"):
        raise LmedgeError(
            f"int8-qat cannot be made: layer {layer.name!r} of {network} is a {kind}, which it does not know; leave "
            "int8-qat out of --variants."
        )
    activation = {"ELU": "elu", "ReLU": "relu"}.get(kind) or _activation(layer)
    if activation in ("elu", "relu"):
        yield _Step(layers.ELU() if activation == "elu" else layers.ReLU(), [], "same")
    elif activation != "linear":
        raise LmedgeError(
            f"int8-qat cannot be made: layer {layer.name!r} of {network} has the activation {activation}; take elu or "
            "relu, or leave int8-qat out of --variants."
        )


def _activation(layer: Any) -> str:
    return getattr(getattr(layer, "activation", None), "__name__", "linear")


def _to_levels(last: _Step, name: str) -> None:
    """Puts -1..1 -> 0..255 into the last convolution, whose int8 output then is the image."""
    if not last.weights or not getattr(last.layer, "use_bias", False):
        raise LmedgeError(
            f"int8-qat cannot be made: {name} does not end in a convolution with a bias and without activation; "
            "leave int8-qat out of --variants."
        )
    kernel, bias = last.weights
    last.weights = [kernel * np.float32(127.5), bias * np.float32(127.5) + np.float32(127.5)]


def tune(
    generator: Any, lgen: Any, latent: LatentSpec, calibrated: Any, tuning: Tuning, tell: Callable[[str], None]
) -> tuple[Any, Any, dict[str, Any]]:
    """Copies of both networks with fine-tuned weights, and what was done, for bundle.json. `calibrated`: their
    float TFLite model with the ranges that post-training quantisation found. `tell` is told the progress. Raises
    LmedgeError as `twin` does."""
    tf_keras.utils.set_random_seed(tuning.seed)
    drawing = twin(generator, latent, ranges_before(calibrated, "image"), image=True)
    marking = twin(lgen, latent, ranges_before(calibrated, "landmarks"), image=False)

    def levels(z: Any) -> Any:
        return tf.clip_by_value(generator(z, training=False) * 127.5 + 127.5, 0.0, 255.0)

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
    student: Any, teacher: Callable[[Any], Any], latent: LatentSpec, tuning: Tuning, tell: Callable[[str], None]
) -> list[float]:
    """Trains the student on the teacher's output for fresh latents; root mean square errors at start and end."""
    schedule = tf_keras.optimizers.schedules.CosineDecay(tuning.learning_rate, tuning.steps)
    optimizer = tf_keras.optimizers.Adam(schedule)
    random = tf.random.Generator.from_seed(tuning.seed)

    @tf.function
    def step() -> Any:
        z = latents_of(latent, random.uniform((tuning.batch, latent.size)))
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
