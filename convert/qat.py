"""Quantisation-aware fine-tuning: networks learn to draw the same with int8 weights and activations.

The float networks are the teachers; latents are drawn, so no photo is needed. Both are rebuilt in
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

from convert.fold import PhasesToPixels, Repeated, phases_to_pixels, repeated, wiring
from convert.ranges import activation_of, input_range, ranges_of
from convert.recipe import Tuning
from convert.static import Static
from lmedge.errors import LmedgeError
from lmedge.gan.quantiles import latents_of
from lmedge.keras_layers import DepthToSpace
from lmedge.latent import LatentSpec
from lmedge.quiet import native_stderr_off

with native_stderr_off():
    from tensorflow_model_optimization.quantization.keras import QuantizeConfig, QuantizeWrapperV2, quantizers

BITS = 8
ACTIVATIONS = {"elu": tf_keras.layers.ELU, "relu": tf_keras.layers.ReLU, "relu6": lambda: tf_keras.layers.ReLU(6.0)}


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


class _DepthToSpace(tf_keras.layers.Layer):
    def call(self, x: Any) -> Any:
        return tf.nn.depth_to_space(x, 2)


class _Repeated(tf_keras.layers.Layer):
    def call(self, x: Any) -> Any:
        return repeated(x)


@dataclass
class _Step:
    """A layer of the twin and the weights that it gets. `computes`: what it gives is rounded; it does not only move
    values."""

    layer: Any
    weights: list[NDArray[np.float32]]
    computes: bool = True


def twin(network: Any, latent: LatentSpec, calibrated: Any, reads: Callable[[Any], Any] = lambda z: z) -> Any:
    """The network in tf_keras with simulated int8: z `[B, Z]` of `latent`, as it `reads` them -> what `network` gives.
    Its activations have the ranges that they have in `calibrated`, the float TFLite model that it is a part of.

    Raises LmedgeError for a network with layers that int8 does not have.
    """
    steps = {layer.name: list(_steps(layer, network.name)) for layer in network.layers}
    z, span = tf_keras.Input(network.input_shape[1:]), _Range(*input_range(calibrated))
    probe = reads(latents_of(latent, tf.random.stateless_uniform((4, latent.size), (0, 0))))
    # What each layer gives, in the twin and for the probe. "" is the input.
    given: dict[str, tuple[Any, Any]] = {"": (_wrapped(tf_keras.layers.Activation("linear"), span)(z), probe)}
    wires = wiring(network)
    if twice := next((name for name, calls in wires.items() if len(calls) > 1), None):
        raise LmedgeError(
            f"int8-qat cannot be made: layer {twice!r} of {network.name} is called more than once; leave int8-qat out "
            "of --variants."
        )
    try:
        ranges = ranges_of(calibrated, network)
    except LookupError as error:
        raise LmedgeError(
            f"int8-qat cannot be made: {error.args[0]} of {network.name} cannot be found in TFLite; leave int8-qat out "
            "of --variants."
        ) from None
    for name, (sources,) in wires.items():
        x, value = given[sources[0]]
        if len(sources) > 1:
            x, value = ([given[source][i] for source in sources] for i in range(2))
        spans = iter(ranges[name])
        for step in steps[name]:
            if step.weights:
                step.layer.build(value.shape)
                step.layer.set_weights(step.weights)
            value = step.layer(value)
            x = _wrapped(step.layer, _Range(*next(spans)) if step.computes else None)(x)
        given[name] = x, value
    x, value = given[network.layers[-1].name]
    wanted = np.asarray(network(probe, training=False))
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
        yield _Step(layers.Dense(layer.units, use_bias=layer.use_bias), weights)
    elif kind in ("Conv2D", "Conv2DTranspose"):
        made = getattr(layers, kind)(layer.filters, layer.kernel_size, layer.strides, layer.padding,
                                     use_bias=layer.use_bias)  # fmt: skip
        yield _Step(made, weights)
    elif kind == "Concatenate":
        yield _Step(layers.Concatenate(layer.axis), [], False)
    elif kind == "Reshape":
        yield _Step(layers.Reshape(layer.target_shape), [], False)
    elif kind == "ZeroPadding2D":
        yield _Step(layers.ZeroPadding2D(layer.padding), [], False)
    elif kind == "UpSampling2D" and layer.interpolation == "nearest":
        yield _Step(layers.UpSampling2D(layer.size), [], False)
    elif isinstance(layer, PhasesToPixels):
        yield _Step(_Pixels(), [], False)
    elif isinstance(layer, Repeated):
        yield _Step(_Repeated(), [], False)
    elif isinstance(layer, DepthToSpace):
        yield _Step(_DepthToSpace(), [], False)
    elif kind in ("Add", "Multiply"):
        yield _Step(getattr(layers, kind)(), [])
    elif kind == "LeakyReLU":
        yield _Step(layers.LeakyReLU(layer.negative_slope), [])
    elif kind not in ("InputLayer", "Dropout", "Identity", "Activation", "ELU", "ReLU"):
        raise LmedgeError(
            f"int8-qat cannot be made: layer {layer.name!r} of {network} is a {kind}, which it does not know; leave "
            "int8-qat out of --variants."
        )
    activation = {"ELU": "elu", "ReLU": "relu"}.get(kind) or activation_of(layer)
    if activation in ACTIVATIONS:
        yield _Step(ACTIVATIONS[activation](), [])
    elif activation != "linear":
        raise LmedgeError(
            f"int8-qat cannot be made: layer {layer.name!r} of {network} has the activation {activation}; take elu, "
            "relu or relu6, or leave int8-qat out of --variants."
        )


def tune(
    static: Static, latent: LatentSpec, calibrated: Any, tuning: Tuning, tell: Callable[[str], None]
) -> tuple[Any, Any, dict[str, Any]]:
    """Copies of generator, which gives levels, and L-Gen with fine-tuned weights, and what was done, for bundle.json.
    `calibrated`: their float TFLite model with the ranges that post-training quantisation found. `tell` is told the
    progress. Raises LmedgeError as `twin` does."""
    tf_keras.utils.set_random_seed(tuning.seed)
    drawing, marking = (twin(network, latent, calibrated, static.reads) for network in (static.generator, static.lgen))
    image, landmarks = static.teachers

    def levels(z: Any) -> Any:
        return tf.clip_by_value(image(z, training=False), 0.0, 255.0)

    def fit(student: Any, teacher: Callable[[Any], Any], name: str) -> list[float]:
        def drawn(share: Any) -> tuple[Any, Any]:
            z = latents_of(latent, share)
            return static.reads(z), teacher(z)

        return _fit(student, drawn, latent.size, tuning, lambda text: tell(f"{name} {text}"))

    losses = {"image": fit(drawing, levels, "image"), "landmarks": fit(marking, landmarks, "landmarks")}
    note = {"tuning": {"steps": tuning.steps, "batch": tuning.batch, "loss": losses}}
    return _copy(static.generator, drawing), _copy(static.lgen, marking), note


def _copy(network: Any, student: Any) -> Any:
    """The network with the weights of its twin."""

    def cloned(layer: Any) -> Any:
        return type(layer).from_config(layer.get_config()) if layer.weights else layer

    copy = keras.models.clone_model(network, clone_function=cloned)
    copy.set_weights([weight.numpy() for weight in student.trainable_weights])
    return copy


def _fit(
    student: Any, drawn: Callable[[Any], tuple[Any, Any]], size: int, tuning: Tuning, tell: Callable[[str], None]
) -> list[float]:
    """Trains the student on what it reads and should give, which `drawn` makes of evenly spread numbers `[B, size]`;
    root mean square errors at start and end."""
    schedule = tf_keras.optimizers.schedules.CosineDecay(tuning.learning_rate, tuning.steps)
    optimizer = tf_keras.optimizers.Adam(schedule)
    random = tf.random.Generator.from_seed(tuning.seed)

    @tf.function
    def step() -> Any:
        given, wanted = drawn(random.uniform((tuning.batch, size)))
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(student(given, training=True) - wanted))
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
