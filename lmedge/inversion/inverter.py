"""Faces to latents: where to start, how to search, when a face is done."""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from lmedge.errors import LmedgeError
from lmedge.gan.precision import in_precision
from lmedge.inversion.adam import make_adam
from lmedge.inversion.gauss_newton import make_gauss_newton
from lmedge.inversion.search import Search
from lmedge.landmarks import Array
from lmedge.latent import Latents, LatentSpec

FAR, NEAR = 0.1, 0.01  # units of z over which derivatives are measured: while searching, and close to the end
# A face that is drawn this well (mean squared error; 36 dB) is finished in float32: bfloat16 cannot tell which of its
# neighbours it is. Photos never come here, drawn faces do.
CLOSE = 1e-3
FINISH_STEPS, FINISH_ROUNDS = 16, 4
EXACT = 1e-9  # a face is left alone below
LEAST_GAIN = 0.01  # of its error that a face must gain in a round to take part in the next
ADAM_RATE = 0.1
REDRAWS = 7919  # apart from other numbers of the same seed
NOT_FINITE = "the generator gives values that are not finite; train it again."


def not_shown(count: int) -> None:
    """Progress counts a face once."""


class Inverter:
    """`inverter(faces [N, H, W, 3] in -1..1, key)` -> z `[N, Z]`; the same faces, key and seed give the same latents.

    Blocks of `latent` that are not searched keep what they are given (`held`), or else their middle. Where a block asks
    for landmarks, the search starts from those of the faces (normalised, `[N, K, 2]`), if they are known. `weights
    [H, W]` are those of the pixels (`face_weights`); `encoder` is needed where the search starts from it. Raises
    LmedgeError where the generator gives values that are not finite.
    """

    def __init__(
        self, generator: Any, latent: LatentSpec, search: Search, weights: NDArray[np.float32],
        encoder: Any = None,
    ):  # fmt: skip
        self.how, self.encoder, self.latent = search, encoder, latent
        fast = generator
        if search.precision != "float32":
            fast = in_precision(generator, search.precision)
        if search.method == "adam":
            self._adam: Callable[..., Any] = make_adam(
                fast, latent, weights, search.steps, ADAM_RATE, "l2", redraw=True
            )
            return
        self._search = make_gauss_newton(fast, latent, weights, search.steps, FAR)
        self._finish = make_gauss_newton(generator, latent, weights, FINISH_STEPS, NEAR)

    def __call__(
        self, faces: NDArray[np.float32], key: int = 0, advance: Callable[[int], None] = not_shown,
        held: Latents | None = None, landmarks: Array | None = None,
    ) -> Latents:  # fmt: skip
        start = self._start(faces, key)
        if landmarks is not None:
            start = self.latent.asking(start, landmarks)
        given = self.latent.middle if held is None else held  # of `held` only what is not searched is read
        z = np.where(self.latent.searched, start, given)
        if self.how.method == "adam":
            redraws = tf.constant([self.how.seed * REDRAWS, key])
            z, error = self._batched(lambda *some: self._adam(*some, redraws), faces, z, advance)
        else:
            z, error = self._rounds(faces, z, advance)
        if not np.isfinite(error).all():
            raise LmedgeError(NOT_FINITE)
        return z

    def _start(self, faces: NDArray[np.float32], key: int) -> Latents:
        if self.how.start == "centre":
            return np.tile(self.latent.middle, (len(faces), 1))
        if self.how.start == "random":
            random = np.random.default_rng((self.how.seed, key))
            return self.latent.quantile(random.random((len(faces), self.latent.size)))
        guesses = [self.encoder(faces[i : i + self.how.batch]) for i in range(0, len(faces), self.how.batch)]
        return self.latent.clip(np.concatenate([np.asarray(some) for some in guesses]))

    def _rounds(
        self, faces: NDArray[np.float32], z: NDArray[np.float32], advance: Callable[[int], None]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Rounds of fresh derivatives; faces that gain nothing more leave, the others close up to full batches."""
        error = np.full(len(z), np.inf, np.float32)
        open_ = np.arange(len(z))
        for number in range(self.how.rounds):
            if not len(open_):
                break
            shown = advance if number == 0 else not_shown
            z[open_], now = self._batched(self._search, faces[open_], z[open_], shown)
            gained = now < (1 - LEAST_GAIN) * error[open_]
            error[open_] = now
            open_ = open_[gained & (now > EXACT)]
        for _ in range(FINISH_ROUNDS):
            close = np.flatnonzero((error < CLOSE) & (error > EXACT))
            if not len(close):
                break
            z[close], error[close] = self._batched(self._finish, faces[close], z[close], not_shown)
        return z, error

    def _batched(
        self,
        solve: Callable[..., Any],
        faces: NDArray[np.float32],
        z: NDArray[np.float32],
        advance: Callable[[int], None],
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        found, errors = [], []
        size = self.how.batch
        for first in range(0, len(faces), size):
            some = np.arange(first, min(first + size, len(faces)))
            # The last batch is filled up with its first face, as another shape would compile again.
            filled = np.concatenate([some, np.repeat(some[:1], size - len(some))])
            try:
                there, error = solve(tf.constant(faces[filled]), tf.constant(z[filled]))
            except tf.errors.InvalidArgumentError:  # equations of values that are not finite
                raise LmedgeError(NOT_FINITE) from None
            found.append(there.numpy()[: len(some)])
            errors.append(error.numpy()[: len(some)])
            advance(len(some))
        return np.concatenate(found), np.concatenate(errors)
