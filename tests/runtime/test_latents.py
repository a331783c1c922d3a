import numpy as np
import pytest

from lmedge.runtime import between, prior


def split_mix(seed, count):
    """SplitMix64 in plain integers."""
    mask = (1 << 64) - 1

    def mix(x):
        x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & mask
        x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & mask
        return x ^ (x >> 31)

    state = mix((seed + 0x9E3779B97F4A7C15) & mask)
    for _ in range(count):
        state = (state + 0x9E3779B97F4A7C15) & mask
        yield mix(state)


@pytest.mark.parametrize("seed", [0, 1, 12345678901234567890])
def test_latents_are_the_upper_24_bits_of_split_mix(seed):
    wanted = [(number >> 40) / 2**23 - 1 for number in split_mix(seed, 40)]
    assert prior(5, 8, seed).ravel().tolist() == wanted


def test_face_i_does_not_depend_on_how_many_are_drawn():
    assert (prior(10, 64, 3)[4:6] == prior(2, 64, 3, first=4)).all()


def test_latents_are_uniform_and_of_different_seeds_different():
    z = prior(4000, 64, 0)
    assert z.dtype == np.float32 and z.min() >= -1 and z.max() < 1
    assert abs(z.mean()) < 0.005 and z.var() == pytest.approx(1 / 3, abs=0.003)
    counts, _ = np.histogram(z, 16, (-1, 1))
    assert counts / z.size == pytest.approx(np.full(16, 1 / 16), abs=0.002)
    assert abs(np.corrcoef(z[:, 0], z[:, 1])[0, 1]) < 0.05
    assert abs(np.corrcoef(prior(4000, 1, 0)[:, 0], prior(4000, 1, 1)[:, 0])[0, 1]) < 0.05


def test_between_goes_straight_and_ends_exactly():
    first, last = prior(2, 8, 0)
    line = between(first, last, 5)
    assert (line[0] == first).all() and (line[-1] == last).all()
    assert line[2] == pytest.approx((first + last) / 2)
