"""One step of a training, whatever the family."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from lmedge.gan.devices import gpus
from lmedge.gan.draws import MIRROR, Draws
from lmedge.gan.gan import Batch, Gan
from lmedge.gan.options import TrainGanConfig
from lmedge.gan.precision import in_precision
from lmedge.gan.replicas import mean_over_replicas
from lmedge.latent import LatentSpec


class Step:
    """Takes faces as a dataset has them, mirrors half of them, lets the family learn, and moves the averaged generator.

    Calling it does so on all devices of `place`, in a graph. `swap` says which landmark takes the place of which in a
    mirror.
    """

    def __init__(self, gan: Gan, spec: LatentSpec, config: TrainGanConfig, place: tf.distribute.Strategy,
                 swap: Sequence[int] = (), compiled: bool | None = None):  # fmt: skip
        self.gan, self.spec, self.place, self.swap = gan, spec, place, tuple(swap)
        self.ema, self.mirror, self.seed = config.ema, config.mirror, config.seed
        with place.scope():
            self.average = in_precision(gan.generator, config.precision)
            self.average.trainable = False
            self.count = keras.Variable(0, dtype="int64", trainable=False, name="step")
        if compiled is None:  # slower on a CPU, and not for several replicas
            compiled = bool(gpus()) and place.num_replicas_in_sync == 1
        self._everywhere = tf.function(self._on_all, jit_compile=compiled)

    def __call__(self, batch: Any) -> dict[str, float]:
        """One step with a batch of all devices; returns the family's figures."""
        return {name: float(value) for name, value in self._everywhere(batch).items()}

    def variables(self) -> dict[str, list[Any]]:
        """Everything that a training needs to go on, by name."""
        return {
            "generator": self.gan.generator.weights,
            "ema": self.average.weights,
            "step": [self.count],
            **{name: optimizer.variables for name, optimizer in self.gan.optimizers.items()},
            **self.gan.variables(),
        }

    def _on_all(self, batch: Any) -> dict[str, tf.Tensor]:
        figures = self.place.run(self.once, args=(batch,))
        return {name: self.place.experimental_local_results(value)[0] for name, value in figures.items()}

    def once(self, batch: Any) -> dict[str, tf.Tensor]:
        """A step on this replica with its part of a batch: uint8 images `[B, size, size, 3]`, or those, landmarks
        `[B, K, 2]` in pixels and perhaps attributes `[B, A]`."""
        draws = Draws(self.spec, self.seed, self.count.value)
        figures = self.gan.learn(self._mirrored(batch, draws), draws)
        self._move_average()
        self.count.assign_add(1)
        return {name: mean_over_replicas(value) for name, value in figures.items()}

    def _mirrored(self, batch: Any, draws: Draws) -> Batch:
        images, landmarks, attributes = (*(batch if isinstance(batch, tuple) else (batch,)), None, None)[:3]
        images = tf.cast(images, tf.float32) / 127.5 - 1.0  # (B, H, W, 3)
        if landmarks is not None:  # normalised, see lmedge/landmarks.py
            landmarks = (landmarks + 0.5) / tf.cast(tf.stack([images.shape[2], images.shape[1]]), tf.float32)
        if self.mirror:
            flip = draws.uniform(tf.shape(images)[0], self.spec.size, MIRROR)[:, 0, None, None] > 0
            images = tf.where(flip[..., None], tf.reverse(images, [2]), images)
            if landmarks is not None:
                swapped = tf.gather(landmarks, self.swap, axis=1) * (-1.0, 1.0) + (1.0, 0.0)
                landmarks = tf.where(flip, swapped, landmarks)
        return Batch(images, landmarks, attributes)

    def _move_average(self) -> None:
        # Early on the average would remember the random start: it is shorter then.
        step = tf.cast(self.count.value, tf.float32)
        keep = tf.minimum(self.ema, (1.0 + step) / (10.0 + step))
        for average, weight in zip(self.average.weights, self.gan.generator.weights, strict=True):
            average.assign(weight + keep * (average - weight))
