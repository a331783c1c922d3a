"""Layers that Keras has no name for. Saved networks know them by it."""

from typing import Any

import keras


@keras.saving.register_keras_serializable("lmedge")
class DepthToSpace(keras.layers.Layer):
    """`[B, H, W, 4 C]` -> `[B, 2H, 2W, C]`."""

    def call(self, x: Any) -> Any:
        return keras.ops.depth_to_space(x, 2)

    def compute_output_shape(self, input_shape: Any) -> Any:
        batch, height, width, channels = input_shape
        return batch, 2 * height, 2 * width, channels // 4
