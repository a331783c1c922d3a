"""What networks compute in."""

from typing import Any

import keras
import tensorflow as tf


def elu(dtype: str) -> Any:
    """The ELU for a layer that computes in `dtype`. TensorFlow's gradient of it is not vectorised for bfloat16 on a
    CPU: 6 times the time of the same in float32, a third of a whole training step."""
    return elu_bfloat16 if dtype == "mixed_bfloat16" else "elu"


@tf.custom_gradient
def elu_bfloat16(x: tf.Tensor) -> Any:
    """ELU (alpha 1) of bfloat16 values; its gradient is computed in float32."""
    y = tf.nn.elu(x)

    def gradient(upstream: tf.Tensor) -> tf.Tensor:
        wide = tf.raw_ops.EluGrad(gradients=tf.cast(upstream, tf.float32), outputs=tf.cast(y, tf.float32))
        return tf.cast(wide, upstream.dtype)

    return y, gradient


class LeakyReLU(keras.layers.LeakyReLU):
    """LeakyReLU whose gradient is computed in float32, for the reason that `elu` has, and looks at what it gave: asked
    for the sign of y, and not of x, TensorFlow can make one op of a convolution and what follows it."""

    def call(self, x: tf.Tensor) -> tf.Tensor:
        return _leaky_relu(x, self.negative_slope)


def _leaky_relu(x: tf.Tensor, slope: float) -> tf.Tensor:
    @tf.custom_gradient
    def leaky(x: tf.Tensor) -> Any:
        y = tf.nn.leaky_relu(x, slope)

        # The sign has no derivative; looked for in a penalty, it leads back to x, and TensorFlow says that it failed.
        def gradient(upstream: tf.Tensor) -> tf.Tensor:
            sign = tf.cast(tf.stop_gradient(y), tf.float32)
            wide = tf.raw_ops.LeakyReluGrad(gradients=tf.cast(upstream, tf.float32), features=sign, alpha=slope)
            return tf.cast(wide, upstream.dtype)

        return y, gradient

    return leaky(x)


def in_precision(network: Any, dtype: str) -> Any:
    """A copy of a network, with its weights, that computes in `dtype`; its last layer stays in float32."""

    def copied(layer: Any) -> Any:
        config = layer.get_config()
        config["dtype"] = "float32" if layer is network.layers[-1] else dtype
        if getattr(layer, "activation", None) in (keras.activations.elu, elu_bfloat16):
            config["activation"] = elu(dtype)
        kind = LeakyReLU if isinstance(layer, keras.layers.LeakyReLU) and dtype != "float32" else type(layer)
        return kind.from_config(config)

    copy = keras.models.clone_model(network, clone_function=copied)
    copy.set_weights(network.get_weights())
    return copy
