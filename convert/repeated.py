"""Numbers of a latent that weigh more than others, given to the networks several times: int8 then knows them better.

In int8 all numbers of a latent have one scale, and so have all weights by which an output of a dense layer reads them.
Landmarks that are asked for lie close together, and their weights are several times as large as those of the person:
they set the scale of the weights, and what rounding does to these numbers is seen most. Given k times, each time moved
by a k-th of a step, they are known k times as exactly, by weights of a k-th.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from convert.fold import wiring
from lmedge.latent import Latents, LatentSpec

MOST = 4  # times that a number is given
LEVELS = 255  # steps of an int8 number from its least to its most


@dataclass(frozen=True)
class Repeat:
    """Numbers `first` to `last` of a latent of `size` are given `times`, moved by parts of `step`."""

    size: int
    first: int
    last: int
    times: int
    step: float

    @property
    def columns(self) -> list[int]:
        """Which number of a latent each input of a network is: the latent, and the repeated numbers behind it."""
        return [*range(self.size), *[*range(self.first, self.last)] * (self.times - 1)]

    @property
    def offsets(self) -> NDArray[np.float32]:
        """By how much each input is moved `[N]`; in the mean by nothing."""
        moved = self.step * ((np.arange(self.times) + 0.5) / self.times - 0.5)
        offsets = np.zeros(self.size)
        offsets[self.first : self.last] = moved[0]
        return np.concatenate([offsets, np.repeat(moved[1:], self.last - self.first)]).astype(np.float32)

    def __call__(self, z: Any) -> Any:
        """A tensor of latents `[B, Z]` as the networks read them `[B, N]`."""
        return tf.gather(z, self.columns, axis=1) + self.offsets

    def reading(self, network: Any) -> Any:
        """A network of latents `[B, Z]` that only dense layers read, as one of what they become `[B, N]`."""
        columns = self.columns
        shares = (1 / np.bincount(columns)[columns]).astype(np.float32)
        copy = keras.models.clone_model(network, input_tensors=keras.Input((len(columns),)))
        readers = _readers(network)
        for layer in network.layers:
            weights = layer.get_weights()
            if layer.name in readers:
                weights[0] = weights[0][columns] * shares[:, None]
            if weights:
                copy.get_layer(layer.name).set_weights(weights)
        return copy


def repeat_for(networks: Sequence[Any], latent: LatentSpec, calibration: Latents) -> Repeat | None:
    """The block of a latent that weighs most, and how often to give it to a generator and the networks behind it, by
    what the generator makes of its numbers; None where none weighs much more than most, or what reads latents is no
    dense layer. `calibration` `[N, Z]` sets how wide a step is."""
    if not all(map(_only_dense, networks)):
        return None
    generator = networks[0]
    kernels = [generator.get_layer(name).kernel.numpy() for name in _readers(generator)]
    weights = np.sqrt(np.square(np.concatenate(kernels, axis=1), dtype=np.float64).mean(axis=1))
    ends = np.cumsum([block.size for block in latent.blocks])
    begins = ends - [block.size for block in latent.blocks]
    means = [weights[begin:end].mean() for begin, end in zip(begins, ends, strict=True)]
    block = int(np.argmax(means))
    times = min(MOST, round(float(means[block] / (np.median(weights) or 1.0))))
    if times < 2:
        return None
    step = float(max(calibration.max(), 0) - min(calibration.min(), 0)) / LEVELS
    return Repeat(latent.size, int(begins[block]), int(ends[block]), times, step)


def _readers(network: Any) -> dict[str, list[list[str]]]:
    """Layers that read the latent, with what they read in each of their calls."""
    return {name: calls for name, calls in wiring(network).items() if any("" in reads for reads in calls)}


def _only_dense(network: Any) -> bool:
    """Do dense layers alone read the latent, each once?"""
    return all(
        type(network.get_layer(name)) is keras.layers.Dense and calls == [[""]]
        for name, calls in _readers(network).items()
    )
