"""Mixed faces, and the network that learns to mix."""

from dataclasses import replace

import keras
import numpy as np
import pytest

from lmedge.datasets.augment import Augmentation
from lmedge.detector import network as detector
from lmedge.detector.diet import Diet
from lmedge.detector.faces import labelled
from lmedge.detector.network import Learner, fit
from lmedge.errors import UsageError
from lmedge.faces.records import FaceDataset
from lmedge.keras_model import Generator, KerasFaceModel
from lmedge.latent import LatentSpec
from lmedge.lgen.network import distance
from lmedge.run import Run
from lmedge.scheme import IBUG49
from lmedge.storage import read_arrays, write_arrays
from lmedge.study import mixing as pools
from lmedge.study import smart
from lmedge.study.latents import latents_of
from lmedge.study.mixing import Mixing, Pairs, interpolating
from lmedge.study.smart import SmartMixer, build_mixer, teaching

Z, SIDE, POINTS, PAIRS, REAL = 3, 4, 2, 5, 6
RANDOM = np.random.default_rng(3)
GENERATOR = RANDOM.normal(0, 0.2, (Z, SIDE * SIDE * 3)), RANDOM.normal(0, 0.1, SIDE * SIDE * 3)
LGEN = RANDOM.normal(0, 0.1, (Z, 2 * POINTS)), RANDOM.uniform(0.3, 0.7, 2 * POINTS)
DETECTOR = RANDOM.normal(0, 0.2, (SIDE * SIDE * 3, 2 * POINTS)), RANDOM.normal(0, 0.5, 2 * POINTS)
MEAN = RANDOM.uniform(0.3, 0.7, 2 * POINTS)
FIRST, SECOND = RANDOM.uniform(-0.4, 0.4, (2, PAIRS, Z))
SHARE = RANDOM.random((PAIRS, 1))
STYLED = RANDOM.normal(0, 0.02, (PAIRS, POINTS, 2))
FACES = RANDOM.integers(0, 256, (REAL, SIDE, SIDE, 3), np.uint8)
MARKS = RANDOM.normal(0, 1, (REAL, 2 * POINTS))
MIXER = (RANDOM.normal(0, 0.3, (2 * Z + 1, smart.HIDDEN)), RANDOM.normal(0, 0.1, smart.HIDDEN),
         RANDOM.normal(0, 0.1, (smart.HIDDEN, Z)), RANDOM.normal(0, 0.1, Z))  # fmt: skip


def far(found, wanted):
    """Mean distance of the points, and its derivative by where they were found."""
    apart = (found - wanted).reshape(-1, POINTS, 2)
    length = np.sqrt((apart**2).sum(axis=-1, keepdims=True) + 1e-4)
    return length.mean(), (apart / length / length.size).reshape(found.shape)


def losses(hidden, bias, last, offset):
    """Both losses of A with these weights: everything is linear but A's ELU, so that B's step can be written down."""
    between = (1 - SHARE) * FIRST + SHARE * SECOND
    x = np.concatenate([FIRST, SECOND, SHARE], axis=1) @ hidden + bias
    moves = np.where(x > 0, x, np.exp(np.minimum(x, 0)) - 1) @ last + offset
    z = between + moves * np.sqrt(LatentSpec.uniform(Z).unit.astype(float) ** 2)
    assert np.abs(z).max() < 1
    images, wanted = z @ GENERATOR[0] + GENERATOR[1], (z @ LGEN[0] + LGEN[1] + STYLED.reshape(PAIRS, -1) - MEAN) * 16
    assert np.abs(images).max() < 1
    _, slope = far(images @ DETECTOR[0] + DETECTOR[1], wanted)
    ahead = DETECTOR[0] - smart.STEP * images.T @ slope, DETECTOR[1] - smart.STEP * slope.sum(axis=0)
    real = FACES.reshape(REAL, -1) / 127.5 - 1
    return (moves**2).mean(), far(real @ ahead[0] + ahead[1], MARKS)[0]


def network(inputs, weights, outputs, *before):
    asked = x = keras.Input(inputs)
    for layer in before:
        x = layer(x)
    dense = keras.layers.Dense(weights[0].shape[1])
    made = keras.Model(asked, keras.layers.Reshape(outputs)(dense(x)))
    dense.set_weights([part.astype(np.float32) for part in weights])
    return made


@pytest.mark.parametrize(("alpha", "beta"), [(1.0, 0.0), (0.0, 1.0), (0.5, 2.0)])
def test_the_mixer_steps_down_both_losses_as_they_are_written_down(alpha, beta):
    latent = LatentSpec.uniform(Z)
    generator, lgen = network((Z,), GENERATOR, (SIDE, SIDE, 3)), network((Z,), LGEN, (POINTS, 2))
    model = KerasFaceModel(Generator(generator, latent), lgen, scheme=IBUG49)
    levels = keras.layers.Rescaling(1 / 127.5, -1.0), keras.layers.Flatten()
    learner = Learner(network((SIDE, SIDE, 3), DETECTOR, (2 * POINTS,), *levels), MEAN, distance(POINTS))
    before = learner.network.get_weights()
    mixer = build_mixer(latent, 0)
    mixer.set_weights([part.astype(np.float32) for part in MIXER])
    single = (values.astype(np.float32) for values in (FIRST, SECOND, SHARE))
    step = teaching(mixer, model, learner, alpha, beta)
    found = step(Pairs(*single), STYLED.astype(np.float32), FACES, MARKS.astype(np.float32))
    assert [float(loss) for loss in found] == pytest.approx(losses(*MIXER), rel=1e-4)
    assert all((now == then).all() for now, then in zip(learner.network.get_weights(), before, strict=True))
    # Adam's first step is its rate, against the sign of the derivative; that of the last layer, by differences.
    moved = mixer.get_weights()[2].astype(float) - MIXER[2]
    slopes = np.zeros(MIXER[2].shape)
    for at in np.ndindex(slopes.shape):
        ends = []
        for way in (1e-5, -1e-5):
            last = MIXER[2].copy()
            last[at] += way
            ends.append(np.dot(losses(*MIXER[:2], last, MIXER[3]), (alpha, beta)))
        slopes[at] = (ends[0] - ends[1]) / 2e-5
    clear = np.abs(slopes) > 0.02 * np.abs(slopes).max()
    assert clear.mean() > 0.8
    assert moved[clear] == pytest.approx(-smart.LEARNING_RATE * np.sign(slopes[clear]), rel=0.02)


@pytest.fixture(scope="module")
def mixing(trained, toys):
    dataset, run = FaceDataset(toys), Run.open(trained)
    z = np.random.default_rng(0).uniform(-1, 1, (6, run.latent.size)).astype(np.float32)
    return Mixing(run.face_model(), z, labelled(dataset, run.scheme)[np.arange(6)], None)


def test_pairs_are_two_faces_and_a_place_between_them(mixing):
    pairs = mixing.pairs(300, np.random.default_rng(0))
    first, second = (
        (mixing.z[None] == part[:, None]).all(axis=2).argmax(axis=1) for part in (pairs.first, pairs.second)
    )
    assert (first != second).all() and len({*zip(first, second, strict=True)}) == 30  # all there are
    assert pairs.between() == pytest.approx((1 - pairs.share) * pairs.first + pairs.share * pairs.second, abs=1e-6)
    assert 0 <= pairs.share.min() < 0.05 and 0.95 < pairs.share.max() < 1


def test_a_network_that_has_learnt_nothing_interpolates(mixing):
    """So both arms begin alike, and differ in what is learnt alone."""
    pool, same = (renew(0, None) for renew in (
        SmartMixer(mixing, Diet(mixing.real, None, 0.5, None), 7, 1.0, 1.0).renew, interpolating(mixing, 7)
    ))  # fmt: skip
    assert len(pool) == pools.POOL and (pool.images == same.images).all() and (pool.landmarks == same.landmarks).all()
    assert (interpolating(mixing, 7)(100, None).images != pool.images).any()
    assert (interpolating(mixing, 8)(0, None).images != pool.images).any()


def test_landmarks_of_mixed_faces_are_moved_to_the_style_of_the_real_ones(mixing):
    seen = mixing.real.landmarks + np.float32([1.0, 0.0])  # the annotator has all points a pixel to the right
    z = mixing.pairs(8, np.random.default_rng(0)).between()
    plain, moved = mixing.landmarks(z), replace(mixing, seen=seen).landmarks(z)
    eyes = np.linalg.norm(plain[:, 19] - plain[:, 28], axis=1), np.linalg.norm(seen[:, 19] - seen[:, 28], axis=1)
    assert (moved - plain)[..., 0].mean() == pytest.approx(-eyes[0].mean() / eyes[1].mean(), rel=0.1)


def test_the_network_learns_beside_the_detector_and_repeats(mixing, monkeypatch):
    monkeypatch.setattr(detector, "STEPS_A_ROUND", 2)
    monkeypatch.setattr(pools, "POOL", 8)
    monkeypatch.setattr(smart, "POOL", 8)
    diet = Diet(mixing.real, None, 0.5, Augmentation())
    pools_of = []
    for _ in range(2):
        mixer, made = SmartMixer(mixing, diet, 3, 1.0, 1.0), []

        def renew(first, learner, mixer=mixer, made=made):
            made.append(mixer.renew(first, learner))
            return made[-1]

        fit(diet, 3, 3, lambda *_: None, renew=renew)
        pools_of.append((made, mixer.network.get_weights()))
    (made, weights), (again, same) = pools_of
    assert len(made) == 2 and all((a.images == b.images).all() for a, b in zip(made, again, strict=True))
    assert all(a == pytest.approx(b, abs=1e-6) for a, b in zip(weights, same, strict=True))
    start = build_mixer(mixing.model.latent, 3).get_weights()
    assert np.abs(weights[2] - start[2]).max() > 0.5 * smart.LEARNING_RATE


def test_latents_of_real_faces_are_kept_and_added_to(trained, toys, tmp_path, monkeypatch):
    run, dataset = Run.open(trained), FaceDataset(toys)
    z = latents_of(tmp_path, run, dataset, np.array([3, 10]))
    assert z.shape == (48, run.latent.size) and np.flatnonzero(np.isfinite(z).all(axis=1)).tolist() == [3, 10]
    model = run.face_model()
    real = dataset.images([3, 10]).astype(float)
    error = np.abs(model.generator.images(z[[3, 10]]) - real).mean()
    assert error < np.abs(model.generator.images(np.zeros((2, run.latent.size), np.float32)) - real).mean()
    more = latents_of(tmp_path, run, dataset, np.array([10, 20]))
    assert (more[[3, 10]] == z[[3, 10]]).all() and np.isfinite(more[20]).all()
    assert read_arrays(tmp_path / "latents.npz")["z"] == pytest.approx(more, nan_ok=True)
    write_arrays(tmp_path / "latents.npz", {"z": z, "generator": np.array("another")})
    with pytest.raises(UsageError, match="has latents of another generator than .*; add --overwrite to begin again"):
        latents_of(tmp_path, run, dataset, np.array([3]))
