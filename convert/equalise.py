"""Channels made equally wide, on the Keras model, so that the one int8 scale of an activation suits them all.

Between two layers with weights a channel can be divided by any factor where every op on the way keeps factors: the
first layer's weights are divided by it, the next one's multiplied (cross-layer equalisation, Nagel et al., arXiv
1906.04721, section 4.1). LeakyReLU and ReLU do, and sums whose parts are divided alike; a product with a scale that is
made for it takes the factors of both. ELU does not.
"""

from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from convert.fold import copied, wiring
from lmedge.keras_model import BATCH
from lmedge.latent import Latents

Widths = NDArray[np.float64]

POWER = 8  # of the mean that says how wide a channel is: between the rms, which forgets extremes, and the extremes
LEAST = 0.5  # width of a channel, as a share of the median, below which it counts as that wide: some are dead
_LAYERS = keras.layers


def equalised(network: Any, latents: Latents) -> Any:
    """A copy of a network that computes the same of z `[B, Z]`, with channels that are about equally wide on `latents`;
    the network itself where no channel can be divided."""
    if any(len(calls) > 1 for calls in wiring(network).values()):
        return network
    channels = _Channels(network)
    outputs = {name: network.get_layer(name).output for name in channels.divisible()}
    if not outputs:
        return network
    look = keras.Model(network.input, outputs)
    means = {name: np.zeros(output.shape[-1]) for name, output in outputs.items()}
    for first in range(0, len(latents), BATCH):
        batch = latents[first : first + BATCH]
        for name, values in look(batch, training=False).items():
            means[name] += len(batch) / len(latents) * _powers(values)
    widths = {name: _width(mean) for name, mean in means.items()}
    factors = channels.factors(widths)
    copy = copied(network)
    for name, (read, made) in channels.weighted.items():
        layer = copy.get_layer(name)
        kernel, *bias = layer.get_weights()
        before, after = factors.get(channels.group(read)), factors.get(channels.group(made))
        if before is not None:
            kernel = kernel * before[:, None]
        if after is not None:
            after = np.tile(after, kernel.shape[-1] // len(after))  # pixels of a Reshape
            kernel, bias = kernel / after, [each / after for each in bias]
        layer.set_weights([kernel, *bias])
    return copy


class _Channels:
    """Which tensors of a network, by the name of the layer that gives them, have to be divided alike.

    `weighted`: a layer that takes factors into its weights -> the tensors that it reads and gives. `products`: a tensor
    -> what it is the product of, the second, a scale, made for that alone. Where nothing else decides how the product
    is divided, the scale is made even and the product follows: what rounding does to a scale is done to all pixels
    alike, and is seen more than what it does to each pixel of the product by itself.
    """

    def __init__(self, network: Any):
        self.network = network
        self.reads = {name: calls[0] for name, calls in wiring(network).items()}
        self.tied: dict[str, str] = {"": ""}
        self.fixed = {"", network.layers[-1].name}
        self.weighted: dict[str, tuple[str, str]] = {}
        self.products: dict[str, tuple[str, str]] = {}
        for name, read in self.reads.items():
            self._look(network.get_layer(name), read)

    def group(self, name: str) -> str:
        """The tensor that stands for all that are divided like this one."""
        while self.tied.setdefault(name, name) != name:
            name = self.tied[name]
        return name

    def _tie(self, *names: str) -> None:
        for name in names[1:]:
            self.tied[self.group(name)] = self.group(names[0])

    def _look(self, layer: Any, read: list[str]) -> None:
        name = layer.name
        plain = getattr(layer, "groups", 1) == 1 and getattr(layer, "data_format", "") != "channels_first"
        if type(layer) in (_LAYERS.Conv2D, _LAYERS.Dense) and plain:
            self.weighted[name] = read[0], name
            if not _keeps(layer.activation):
                self.fixed.add(name)
        elif isinstance(layer, _LAYERS.Reshape) and self._of_dense(read[0], layer.target_shape[-1]):
            self._tie(name, read[0])
        elif isinstance(layer, _LAYERS.Multiply) and self._scales(read):
            self.products[name] = read[0], read[1]
        elif _passes(layer) or (isinstance(layer, _LAYERS.Add) and len({self._channels(one) for one in read}) == 1):
            self._tie(name, *read)
        elif not isinstance(layer, _LAYERS.InputLayer):
            self.fixed.update((name, *read))

    def _channels(self, name: str) -> int:
        return int(self.network.get_layer(name).output.shape[-1]) if name else 0

    def _alone(self, name: str) -> bool:
        """Is a tensor read once?"""
        return sum(read.count(name) for read in self.reads.values()) == 1

    def _of_dense(self, name: str, channels: int) -> bool:
        """Does a tensor come from a dense layer, and is it cut into pixels of so many channels for nobody else?"""
        return (
            name in self.weighted and type(self.network.get_layer(name)) is _LAYERS.Dense and self._alone(name)
        ) and self._channels(name) % channels == 0

    def _scales(self, read: list[str]) -> bool:
        """Is the second of two factors made of a dense layer for this product alone, one number a channel?"""
        if len(read) != 2 or "" in read or not self._alone(read[1]):
            return False
        scale = self.network.get_layer(read[1]).output.shape[1:]
        return (
            scale == (1, 1, self._channels(read[0]))
            and isinstance(self.network.get_layer(read[1]), _LAYERS.Reshape)
            and self.reads[read[1]][0] in self.weighted
        )

    def divisible(self) -> list[str]:
        """Tensors that may be divided, those left out that follow from others."""
        kept = {self.group(name) for name in (*self.fixed, *map(self._follower, self.products))}
        return [name for name in self.reads if self.group(name) not in kept]

    def _follower(self, product: str) -> str:
        """The one of a product and its scale whose factor follows from the other's."""
        group = self.group(product)
        fixed = group in map(self.group, self.fixed)
        shared = sum(self.group(name) == group for name in self.reads) > 1
        return self.products[product][1] if fixed or shared else product

    def factors(self, widths: dict[str, Widths]) -> dict[str, Widths]:
        """By group, what its tensors are divided by: how wide their channels are beside each other, where it is much
        in one tensor rather than little in another."""
        found: dict[str, list[Widths]] = {}
        for name, width in widths.items():
            root = self.group(name)
            pixels = width.reshape(-1, self._channels(root)).mean(axis=0)  # of a dense layer that is cut into them
            found.setdefault(root, []).append(pixels / np.exp(np.log(pixels).mean()))
        factors = {root: (np.mean(np.power(each, 4), axis=0)) ** 0.25 for root, each in found.items()}
        for product, (scaled, scale) in self.products.items():
            of_product, of_scaled, of_scale = (
                factors.get(self.group(name), np.ones(self._channels(product))) for name in (product, scaled, scale)
            )
            follows = {product: of_scaled * of_scale, scale: of_product / of_scaled}
            follower = self._follower(product)
            factors[self.group(follower)] = follows[follower]
        return factors


def _keeps(activation: Any) -> bool:
    """Is an activation of x / s that of x, divided by s?"""
    return activation in (keras.activations.linear, keras.activations.relu, keras.activations.leaky_relu)


def _passes(layer: Any) -> bool:
    """Does a layer without weights give each channel what it reads of it, and keeps factors?"""
    if isinstance(layer, _LAYERS.Activation):
        return _keeps(layer.activation)
    if isinstance(layer, _LAYERS.ReLU):
        return layer.max_value is None and not layer.threshold
    return isinstance(
        layer,
        (_LAYERS.LeakyReLU, _LAYERS.UpSampling2D, _LAYERS.ZeroPadding2D, _LAYERS.Dropout, _LAYERS.Identity),
    )


def _width(powers: NDArray[np.float64]) -> Widths:
    """How wide channels are `[C]`, of the means of their powers."""
    width = powers ** (1 / POWER)
    return np.maximum(width, LEAST * np.median(width) or 1.0)


def _powers(values: Any) -> NDArray[np.float64]:
    """Means of a power of each channel `[C]` of `[..., C]`."""
    values = np.asarray(values, np.float64)
    for _ in range(POWER.bit_length() - 1):  # a power of 2; `**` takes 16 times as long
        values = np.square(values)
    return values.reshape(-1, values.shape[-1]).mean(axis=0)
