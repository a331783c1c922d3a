"""A generator and what it learns against, as the trainer sees them."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import tensorflow as tf

    from lmedge.gan.draws import Draws


class Batch(NamedTuple):
    """What a step learns from, on this replica.

    `images` `[B, size, size, 3]` in -1..1, half of them mirrored; `landmarks` `[B, K, 2]` in 0..1, mirrored with them,
    and `attributes` `[B, A]` in -1..1, for families that ask for them.
    """

    images: "tf.Tensor"
    landmarks: "tf.Tensor | None"
    attributes: "tf.Tensor | None" = None


def values(weights: list[Any]) -> list[Any]:
    """The tensors of Keras's weights, which a gradient tape takes."""
    return [weight.value for weight in weights]


class Gan(ABC):
    """A generator, what it learns against, and how: everything of a training that only its family knows.

    Made inside the scope of a `tf.distribute.Strategy`, after the seed was set.
    """

    generator: Any  # a Keras model: z [B, Z] -> face [B, size, size, 3], about -1..1
    optimizers: Mapping[str, Any]  # by their names in checkpoints

    @abstractmethod
    def learn(self, batch: Batch, draws: "Draws") -> "dict[str, tf.Tensor]":
        """One step on this replica's part of a batch; returns figures, scalars, of which the log has the means.

        A graph is made of it once. Optimisers add up the gradients of all replicas; see `replicas.py`.
        """

    @abstractmethod
    def variables(self) -> dict[str, list[Any]]:
        """What a training needs to go on, beside generator and optimisers, by name."""

    @property
    def rate(self) -> float:
        """The learning rate of the optimisers."""
        return float(next(iter(self.optimizers.values())).learning_rate.numpy())

    @rate.setter
    def rate(self, rate: float) -> None:
        for optimizer in self.optimizers.values():
            optimizer.learning_rate.assign(rate)
