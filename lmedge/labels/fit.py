"""New points of a face, learnt from few labelled ones: the known landmarks of the same face take a place along, and a
regression on the shape of the face says what is left."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lmedge.labels.frame import Array, Complex, Frame
from lmedge.labels.ridge import Ridge, least_sure
from lmedge.scheme import Scheme

FEWEST = 3  # faces that have a point, before it is proposed anywhere
LEAST_STRENGTH = 1.0  # with which shapes count where the next faces are chosen
SHARES, REPEATS = (0.5, 0.75), 5  # of the labels, for the learning curve; trainings on each
Curve = list[tuple[int, float]]  # faces that were learnt from, error on others


@dataclass(frozen=True)
class Examples:
    """Faces that people have labelled, as far as these are `placed` `[N, K]`: `points` `[N, K, 2]` of `scheme`, and the
    `known` landmarks `[N, L, 2]`, all in pixels."""

    known: NDArray[np.float32]
    points: Array
    placed: NDArray[np.bool_]
    scheme: Scheme

    def __len__(self) -> int:
        return len(self.known)

    def __getitem__(self, part: NDArray[np.int64]) -> "Examples":
        return Examples(self.known[part], self.points[part], self.placed[part], self.scheme)

    @property
    def begun(self) -> "Examples":
        """Those that have a point."""
        return self[np.flatnonzero(self.placed.any(axis=1))]

    def errors(self, guess: Array, usual: Array | None = None) -> Array:
        """How far guesses `[N, K, 2]` are from what people placed, in distances of the two reference points of the
        face: `[N, K]`, nan where there is nothing to compare. A reference point that is not placed is where it
        `usual`ly is, `[N, K, 2]`, or guessed."""
        placed = self.placed[..., None]
        true = np.where(placed, self.points, np.nan)
        first, second = self.scheme.reference
        ends = np.where(placed, self.points, guess if usual is None else usual)
        reference = np.maximum(np.linalg.norm(ends[:, first] - ends[:, second], axis=-1), 1e-6)
        return np.linalg.norm(guess - true, axis=-1) / reference[:, None]


@dataclass(frozen=True)
class Guess:
    """Points `[N, K, 2]` in pixels, and by how many pixels each is expected to be off, `[N, K]`; nan where nothing is
    known of that."""

    points: Array
    deviation: Array


class Fit:
    """Learnt from examples. Points that the scheme of the `known` landmarks has too begin where these are, also where
    nobody has labelled them.

    `learnt`: the points that were placed on enough faces. `left_out`: guesses on the examples, each as if the point had
    not been placed on that face.
    """

    def __init__(self, examples: Examples, frame: Frame, known: Scheme):
        self.frame, self.scheme = frame, examples.scheme
        self.learnt = np.flatnonzero(examples.placed.sum(axis=0) >= FEWEST)
        self.inputs = frame.coordinates(examples.known)
        self.shares = np.zeros((known.count, examples.scheme.count))  # of the known landmarks in where points begin
        self.placeable = np.zeros(examples.scheme.count, bool)
        for k, point in enumerate(examples.scheme.points):
            if point in known.places:
                self.shares[known.places[point], k], self.placeable[k] = 1.0, True
        self.ridges: dict[int, Ridge] = {}
        self.trust: dict[int, float] = {}  # what deviations are multiplied with, to be those of faces left out
        shape = examples.placed.shape
        self.left_out = Guess(np.full((*shape, 2), np.nan), np.full(shape, np.nan))
        for k in self.learnt.tolist():
            self._learn(k, examples)
        usual, nobody = self(examples.known), ~examples.placed | np.isnan(self.left_out.deviation)
        self.left_out.points[nobody], self.left_out.deviation[nobody] = usual.points[nobody], usual.deviation[nobody]

    def _learn(self, k: int, examples: Examples) -> None:
        faces = np.flatnonzero(examples.placed[:, k])
        known, true = examples.known[faces], examples.points[faces, k]
        places = self.frame.inside(true[:, None], known)[:, 0]
        if not self.placeable[k]:
            self.shares[:, k], self.placeable[k] = self.frame.warp(complex(places.mean())), True
        start = self._start(known)[:, k]
        ridge = Ridge(self.inputs[faces], np.column_stack([(places - start).real, (places - start).imag]))
        mean, spread = ridge.left_out()
        guess, deviation = self._there(start, mean, spread, known)
        off = np.sqrt(((guess - true) ** 2).sum(axis=1).mean())
        self.ridges[k], self.trust[k] = ridge, float(off / max(np.sqrt((deviation**2).mean()), 1e-9))
        self.left_out.points[faces, k], self.left_out.deviation[faces, k] = guess, deviation * self.trust[k]

    def _start(self, known: NDArray[np.float32]) -> Complex:
        """Where the known landmarks take the points along to, in the frame `[N, K]`."""
        return self.frame.inside(known, known) @ self.shares

    def _there(self, start: Complex, mean: Array, spread: Array, known: NDArray[np.float32]) -> tuple[Array, Array]:
        """A point `[N, 2]` and its deviation `[N]` in pixels."""
        place = start + mean[:, 0] + 1j * mean[:, 1]
        _, turn = self.frame.place(known)
        return self.frame.outside(place[:, None], known)[:, 0], np.linalg.norm(spread, axis=1) * np.abs(turn[:, 0])

    def __call__(self, known: NDArray[np.float32]) -> Guess:
        """Where the points of other faces are, of which the landmarks `[N, L, 2]` are known; nan for points of which
        nothing is."""
        start, inputs = self._start(known), self.frame.coordinates(known)
        points, deviation = self.frame.outside(start, known), np.full(start.shape, np.nan)
        points[:, ~self.placeable] = np.nan
        for k, ridge in self.ridges.items():
            points[:, k], deviation[:, k] = self._there(start[:, k], *ridge(inputs), known)
            deviation[:, k] *= self.trust[k]
        return Guess(points, deviation)

    def next_faces(self, known: NDArray[np.float32], count: int) -> NDArray[np.int64]:
        """Which of the faces with landmarks `[M, L, 2]` the fit is least sure of, one after another as if those before
        were labelled; none where nothing is learnt yet."""
        if not self.ridges:
            return np.zeros(0, np.int64)
        strength = float(np.mean([ridge.strength for ridge in self.ridges.values()]))
        return least_sure(self.inputs, self.frame.coordinates(known), max(strength, LEAST_STRENGTH), count)


def mean_known(values: Array, axis: int | None = None) -> Array:
    """The mean of those that are known; nan where none is. NumPy's `nanmean` warns of that."""
    known = np.isfinite(values)
    count = known.sum(axis=axis)
    return np.where(known, values, 0).sum(axis=axis) / np.where(count, count, np.nan)


def curve(examples: Examples, frame: Frame, known: Scheme, shares: Sequence[float] = SHARES, seed: int = 0) -> Curve:
    """Mean error on faces left out, by how many are learnt from: shares of the examples, then all but one."""
    random, found = np.random.default_rng(seed), []
    for share in shares:
        count, some = round(share * len(examples)), []
        for _ in range(REPEATS if FEWEST <= count < len(examples) - 1 else 0):
            order = random.permutation(len(examples))
            fit, rest = Fit(examples[order[:count]], frame, known), examples[order[count:]]
            off = rest.errors(fit(rest.known).points)[:, fit.learnt]
            some += [float(mean_known(off))] if np.isfinite(off).any() else []
        if some:
            found.append((count, float(np.mean(some))))
    fit = Fit(examples, frame, known)
    return [*found, (len(examples) - 1, float(mean_known(examples.errors(fit.left_out.points)[:, fit.learnt])))]


def more_labels(errors: Curve) -> str:
    """A sentence on what more labels would bring: errors as a power of the number of labels (a straight line between
    logarithms, least squares)."""
    told = ", ".join(f"{error:.2%} with {faces}" for faces, error in errors)
    told = f"error on faces left out: {told} labelled faces"
    if len(errors) < 2:
        return f"{told}; these are too few to say what more would bring"
    counts, values = np.log([count for count, _ in errors]), np.log([max(error, 1e-6) for _, error in errors])
    slope = float(np.polyfit(counts, values, 1)[0])
    count, now = errors[-1]
    if slope > -0.1:
        return f"{told}; more would hardly help"
    return f"{told}; if it goes on so, {2 * count} have {now * 2**slope:.2%}"
